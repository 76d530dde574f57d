"""Notifies systemd: ready, reloading, stopping, and the watchdog. Does nothing without systemd.

The protocol consists of datagrams with `KEY=value` lines, sent to the socket in $NOTIFY_SOCKET;
see sd_notify(3).
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

#: Keep-alive messages per watchdog period, as sd_watchdog_enabled(3) recommends.
KEEP_ALIVES_PER_PERIOD = 2.0
MICRO = 1e-6


class Notifier:
    """Sends notifications to systemd; never blocks and never raises."""

    def __init__(
        self,
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
        process: int = os.getpid(),
    ) -> None:
        """Read the socket and the watchdog period from `environment`."""
        self._clock = clock
        self._address = environment.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):  # an address in the abstract name space
            self._address = "\0" + self._address[1:]
        self._interval_s = _watchdog_s(environment, process) / KEEP_ALIVES_PER_PERIOD
        self._due_s = 0.0

    def ready(self) -> None:
        """Report that the start or the reload is complete."""
        self._send("READY=1\nSTATUS=watching")

    def keep_alive(self) -> None:
        """Send a keep-alive message to the watchdog, if the next message is due.

        Must be called only by code that stops when the pipeline hangs, such as the loop at each
        turn: systemd then restarts the daemon.
        """
        now_s = self._clock()
        if self._interval_s and now_s >= self._due_s:
            self._due_s = now_s + self._interval_s
            self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Set the line that `systemctl status` shows."""
        self._send(f"STATUS={text}")

    def reloading(self) -> None:
        """Report that the configuration is being reloaded; `ready` must follow."""
        now_us = int(self._clock() / MICRO)
        self._send(f"RELOADING=1\nMONOTONIC_USEC={now_us}")

    def stopping(self) -> None:
        """Report that the daemon stops."""
        self._send("STOPPING=1\nSTATUS=stopping")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
                systemd.setblocking(False)
                systemd.sendto(message.encode(), self._address)
        except OSError as error:
            log.debug("the notification %r was not sent to systemd: %s", message, error)


def _watchdog_s(environment: Mapping[str, str], process: int) -> float:
    """Return the watchdog period in seconds; 0 when systemd has no watchdog for `process`."""
    try:
        enabled = environment.get("WATCHDOG_PID", "") in ("", str(process))
        return max(0.0, int(environment["WATCHDOG_USEC"]) * MICRO) if enabled else 0.0
    except (KeyError, ValueError):
        return 0.0
