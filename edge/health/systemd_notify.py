"""What systemd is told: ready, alive, stopping. Without systemd, nothing is told.

The protocol is datagrams of `KEY=value` lines to the socket in $NOTIFY_SOCKET, see
sd_notify(3).
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

#: systemd asks to be told at twice the rate at which it looks (sd_watchdog_enabled(3)).
RATE = 2.0
MICRO = 1e-6


class Notifier:
    """Tells systemd how we are; `alive` as often as there is progress, sent when it is due."""

    def __init__(
        self,
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
        process: int = os.getpid(),
    ) -> None:
        """Look into `environment` for the socket and the watchdog's time."""
        self._clock = clock
        self._address = environment.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):  # the abstract name space
            self._address = "\0" + self._address[1:]
        self._every_s = _watchdog_s(environment, process) / RATE
        self._due_s = 0.0

    def ready(self) -> None:
        """Everything is open, or opens in the background."""
        self._send("READY=1\nSTATUS=watching")

    def alive(self) -> None:
        """The pipeline has got on. To be called for each frame, and by nothing that runs
        on when the pipeline hangs: then systemd restarts us."""
        now_s = self._clock()
        if self._every_s and now_s >= self._due_s:
            self._due_s = now_s + self._every_s
            self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """A line for `systemctl status`."""
        self._send(f"STATUS={text}")

    def reloading(self) -> None:
        """The configuration is being read anew; `ready` must follow."""
        now_us = int(self._clock() / MICRO)
        self._send(f"RELOADING=1\nMONOTONIC_USEC={now_us}")

    def stopping(self) -> None:
        """We are on our way out."""
        self._send("STOPPING=1\nSTATUS=stopping")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
                to.setblocking(False)
                to.sendto(message.encode(), self._address)
        except OSError as error:
            log.debug("systemd was not told %r: %s", message, error)


def _watchdog_s(environment: Mapping[str, str], process: int) -> float:
    """Seconds of silence after which systemd restarts us; 0 when it does not watch."""
    try:
        watched = environment.get("WATCHDOG_PID", "") in ("", str(process))
        return max(0.0, int(environment["WATCHDOG_USEC"]) * MICRO) if watched else 0.0
    except (KeyError, ValueError):
        return 0.0
