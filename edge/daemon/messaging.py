"""The daemon's use of MQTT: delivery of events, and the subscriber of `--watch`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from edge.common.stage_times import StageTimes
from edge.common.terminal import Terminal
from edge.config.settings import Settings
from edge.mqtt.alert_subscriber import AlertSubscriber
from edge.mqtt.command_format import VerbHandler
from edge.mqtt.delivery import Delivery, EventSink, NullSink

log = logging.getLogger(__name__)

#: How long the end of a run waits until the subscriber has received every delivered event.
ECHO_S = 2.0
#: How long the start waits for the subscriber's subscription, so that it misses no event.
SUBSCRIBE_S = 5.0


@dataclass(frozen=True)
class Messaging:
    """The destination of events and reports.

    `delivery` is None with `--no-mqtt`; `sink` then only numbers the events. `subscriber` is
    None without `--watch`.
    """

    delivery: Delivery | None
    sink: EventSink
    subscriber: AlertSubscriber | None

    def start(self) -> None:
        """Begin to connect to the broker, in the background."""
        if self.delivery is not None:
            self.delivery.start()

    def alive(self) -> bool:
        """Return whether the delivery's worker makes progress; True without MQTT."""
        return self.delivery is None or self.delivery.alive()

    def finish(self) -> int:
        """Deliver events for a short time; return how many stay in the outbox."""
        if self.delivery is None:
            return 0
        waiting = self.delivery.flush()
        if waiting:
            log.warning(
                "%d events were not delivered (%s); they wait in %s",
                waiting,
                self.delivery.publisher.failure or "the broker was too slow",
                self.delivery.outbox.path,
            )
        if self.subscriber is not None:
            self.subscriber.wait_for(self.delivery.publisher.acknowledged, ECHO_S)
        return waiting

    @property
    def received(self) -> int | None:
        """How many events the subscriber received back; None without a subscriber."""
        return None if self.subscriber is None else self.subscriber.received


@contextmanager
def open_messaging(
    settings: Settings,
    mqtt: bool,
    times: StageTimes,
    commands: Mapping[str, VerbHandler],
    terminal: Terminal | None,
) -> Iterator[Messaging]:
    """Open the outbox, an embedded broker if none is configured, and the subscriber that shows
    alerts on `terminal`; close them in the reverse order.

    Nothing is sent before `Messaging.start`. Raises UserError when the outbox is in use.
    """
    if not mqtt:
        yield Messaging(None, NullSink(), None)
        return
    with ExitStack() as stack:
        delivery = stack.enter_context(Delivery(settings, times, verbs=commands))
        subscriber = None
        if terminal is not None:
            base, device = settings.mqtt.base, settings.device
            subscriber = AlertSubscriber(delivery.broker, base, terminal.show, device)
            subscriber.start_in_background(SUBSCRIBE_S)
            stack.callback(subscriber.stop)
        yield Messaging(delivery, delivery, subscriber)
