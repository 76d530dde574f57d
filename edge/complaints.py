"""What goes wrong with a broker, told once and not at every attempt."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from edge.connection import Broker, RefusedError
from edge.errors import UserError
from edge.pacing import SUSPICIOUS
from edge.session import MOST_WAITING

log = logging.getLogger("edge.mqtt")


class Complaints:
    """The log of one publisher's troubles."""

    def __init__(self, broker: Broker, device: str, kept_in: Path) -> None:
        """`kept_in` is where events wait meanwhile."""
        self._broker = broker
        self._device = device
        self._kept_in = kept_in
        self._deaf_told = False
        self.start_afresh()

    def start_afresh(self) -> None:
        """All is well again: the next failure is a new one."""
        self._failure_told = False
        self._refusal_told = ""

    def failed(self, error: UserError, quietly: bool) -> None:
        """An attempt failed; a refusal is told also when it comes after another trouble."""
        told = self._failure_told
        if isinstance(error, RefusedError):
            told, self._refusal_told = self._refusal_told == str(error), str(error)
        self._failure_told = True
        level = logging.DEBUG if told or quietly else logging.WARNING
        log.log(level, "%s; events wait in %s and go out when it takes them", error, self._kept_in)

    def thrown_out(self) -> None:
        """Brokers close the older of two connections of one name, most without saying why."""
        log.warning(
            "the broker at %s has cut us off %d times in a row soon after connecting;"
            " is another device also called %r? Give each its own `device`",
            self._broker.address,
            SUSPICIOUS,
            self._device,
        )

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
        log.warning("commands come too fast: beyond %d that wait they are dropped", MOST_WAITING)
