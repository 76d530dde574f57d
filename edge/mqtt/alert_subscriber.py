"""A subscriber that shows alerts as they arrive, one line per event."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn

import paho.mqtt.client as paho

from edge.common.errors import UserError
from edge.mqtt.broker import (
    CONNECT_TIMEOUT_S,
    Broker,
    closed_before_connack_error,
    connack_error,
    new_client,
    no_connack_error,
    unreachable_error,
)

log = logging.getLogger(__name__)

#: Number of shown events that are remembered, in order to recognise duplicates.
MAX_REMEMBERED_EVENTS = 10_000
#: Messages longer than this are rejected: an event of Mask Patrol is always shorter.
MAX_EVENT_BYTES = 64 * 1024

RED, GREEN, DIM, PLAIN = "\x1b[1;31m", "\x1b[32m", "\x1b[2m", "\x1b[0m"
ENDINGS = {
    "masked": "put a mask on",
    "left": "left",
    "shutdown": "still there at shutdown",
}


class AlertSubscriber:
    """Subscribes to the events below a base topic and shows them."""

    def __init__(
        self, broker: Broker, base: str, show: Callable[[str], None], device: str = "+"
    ) -> None:
        """Prepare to subscribe to the events of `device`; `+` means all devices.

        `show` is called with each line, from the network thread.
        """
        self._broker = broker
        self._topic = f"{base}/{device}/events"
        self._show = show
        self._subscribed = threading.Event()
        self._logs_connection = True
        self._arrived = threading.Condition()
        self._failure: UserError | None = None
        self._output_failure: OSError | None = None
        self._seen: dict[tuple[str, str], None] = {}
        #: Number of distinct events that were received.
        self.received = 0
        #: How many messages were not valid events.
        self.rejected = 0
        self._client = new_client(broker, reconnects=True)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message

    def start(self) -> None:
        """Connect and subscribe.

        Raises UserError when the broker cannot be reached or refuses the connection or the
        subscription.
        """
        try:
            self._client.connect(self._broker.host, self._broker.port, self._broker.keepalive_s)
        except (OSError, ValueError) as error:
            raise unreachable_error(self._broker, error) from None
        self._client.loop_start()
        answered = self._subscribed.wait(CONNECT_TIMEOUT_S)
        if not answered:
            self._failure = no_connack_error(self._broker)
        if self._failure is not None:
            self.stop()
            raise self._failure

    def start_in_background(self, timeout_s: float) -> None:
        """Connect as soon as the broker is reachable; wait for the first attempt for `timeout_s`.

        Lost connections are not logged, because the publisher of the same process logs them.
        """
        self._logs_connection = False
        self._client.on_connect_fail = lambda *_: self._subscribed.set()
        self._client.connect_async(self._broker.host, self._broker.port, self._broker.keepalive_s)
        self._client.loop_start()
        self._subscribed.wait(timeout_s)

    def wait_for(self, count: int, timeout_s: float) -> bool:
        """Wait until `count` distinct events were received; return False after `timeout_s`."""
        with self._arrived:
            return self._arrived.wait_for(lambda: self.received >= count, timeout_s)

    def watch(self) -> NoReturn:
        """Show alerts until interrupted.

        Raises OSError when a line can no longer be shown, UserError when the broker refuses a
        reconnection.
        """
        with self._arrived:
            self._arrived.wait_for(lambda: self._output_failure or self._failure)
            error = self._output_failure or self._failure
            assert error is not None
            raise error

    def stop(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(
        self, client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        if reason.is_failure:
            self._fail(connack_error(self._broker, reason))
        else:
            client.subscribe(self._topic, qos=1)

    def _fail(self, error: UserError) -> None:
        with self._arrived:
            self._failure = error
            self._arrived.notify_all()
        self._subscribed.set()

    def _on_subscribe(
        self, _client: paho.Client, _data: Any, _mid: int, reasons: Any, _properties: Any
    ) -> None:
        if not reasons or reasons[0].is_failure:
            self._fail(
                UserError(
                    f"the broker at {self._broker.address} does not let us read {self._topic}"
                )
            )
        elif self._subscribed.is_set() and self._logs_connection:
            log.warning("connected to the broker at %s again", self._broker.address)
        self._subscribed.set()

    def _on_disconnect(
        self, _client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        if reason.is_failure and self._logs_connection and not self._subscribed.is_set():
            self._fail(closed_before_connack_error(self._broker))
        elif reason.is_failure and self._logs_connection and self._failure is None:
            log.warning("connection to the broker at %s lost: %s", self._broker.address, reason)

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        if message.retain:
            return
        try:
            if len(message.payload) > MAX_EVENT_BYTES:
                raise ValueError("too long for an event")
            event = json.loads(message.payload)
            line = describe_event(event)
            key = (str(event["id"]), str(event["event_type"]))
        except Exception:  # no message from the network may end the subscriber
            self.rejected += 1
            return
        if key in self._seen:
            return
        self._seen[key] = None
        if len(self._seen) > MAX_REMEMBERED_EVENTS:
            del self._seen[next(iter(self._seen))]
        with self._arrived:
            try:
                self._show(line)
            except OSError as error:
                self._output_failure = error
            self.received += 1
            self._arrived.notify_all()


def describe_event(event: dict[str, Any]) -> str:
    """Return an event as one line of text.

    Raises KeyError, TypeError or ValueError for an object that is not an event.
    """
    moment = datetime.fromisoformat(event["time"]).astimezone()
    camera = f"{_printable(event['device'])}/{_printable(event['camera'])}"
    if event["event_type"] == "no_mask_start":
        colour, mark, text = RED, "●", f"NO MASK   score {float(event['score']):.2f}"
    elif event["event_type"] == "no_mask_end":
        ending = ENDINGS[event["ended_by"]]
        lasted_s = event["duration_s"]
        duration = "" if lasted_s is None else f", after {float(lasted_s):.1f} s"
        colour, mark, text = GREEN, "○", f"over      {ending}{duration}"
    else:
        raise ValueError(event["event_type"])
    late = "  (delivered late)" if event["replayed"] else ""
    line = f"{moment:%H:%M:%S}  {mark} {camera}  {text}"
    identity = f"  #{int(event['seq'])} {str(event['id'])[-6:]}{late}"
    if not sys.stdout.isatty():
        return line + _printable(identity)
    return f"{colour}{line}{PLAIN}{DIM}{_printable(identity)}{PLAIN}"


def _printable(text: Any) -> str:
    """Return `text` with control characters replaced, so that it cannot control a terminal."""
    return "".join(c if c.isprintable() else "?" for c in str(text))[:80]
