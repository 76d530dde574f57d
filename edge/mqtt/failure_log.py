"""What goes wrong with a broker, told once and not at every attempt."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from edge.common.errors import UserError
from edge.mqtt.broker import Broker, RefusedError, TakenOverError, TooLargeError
from edge.mqtt.connection import MAX_WAITING
from edge.mqtt.reconnect_backoff import SUSPICIOUS

log = logging.getLogger("edge.mqtt.publisher")


class FailureLog:
    """The log of one publisher's troubles."""

    def __init__(self, broker: Broker, device: str, kept_in: Path) -> None:
        """`kept_in` is where events wait meanwhile."""
        self._broker = broker
        self._device = device
        self._kept_in = kept_in
        self._deaf_told = False
        self._left_out: set[str] = set()
        self.start_afresh()

    def start_afresh(self) -> None:
        """All is well again: the next failure is a new one."""
        self._failure_told = False
        self._refusal_told = ""

    def failed(self, error: UserError, quietly: bool) -> None:
        """An attempt failed; what only somebody can mend is told also after another trouble."""
        told = self._failure_told
        if isinstance(error, RefusedError | TakenOverError):
            # Sizes of one message differ a little from time to time, as its age is in it.
            same = "too large" if isinstance(error, TooLargeError) else str(error)
            told, self._refusal_told = self._refusal_told == same, same
        self._failure_told = True
        level = logging.ERROR if isinstance(error, TooLargeError) else logging.WARNING
        level = logging.DEBUG if told or quietly else level
        log.log(level, "%s; events wait in %s and go out when it takes them", error, self._kept_in)

    def thrown_out(self) -> None:
        """A broker was there each time, and told no reason.

        Many give none (mosquitto up to 2.0.11 at least, even in MQTT 5): neither when they
        close the older of two connections of one name, nor at a message that is too large.
        """
        log.warning(
            "the broker at %s has cut us off %d times in a row soon after connecting, and does"
            " not say why; is another device also called %r (give each its own `device`),"
            " is a message larger than the broker takes, or is it restarted again and again?"
            " Its own log may tell",
            self._broker.address,
            SUSPICIOUS,
            self._device,
        )

    def left_out(self, error: TooLargeError, topic: str) -> None:
        """Something other than an event cannot be published; told once for each topic."""
        if topic not in self._left_out:
            log.warning("%s; it is left out", error)
        self._left_out.add(topic)

    def deaf(self, topics: Sequence[str]) -> None:
        """The broker's rules forbid us to read `topics`; told once and for all."""
        if not self._deaf_told:
            log.warning(
                "the broker at %s does not let us read %s, so nothing asked there is heard;"
                " events are delivered all the same",
                self._broker.address,
                " and ".join(topics),
            )
        self._deaf_told = True

    def crowded(self) -> None:
        """Messages to us are dropped."""
        log.warning("commands come too fast: beyond %d that wait they are dropped", MAX_WAITING)
