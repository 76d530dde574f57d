"""What may be asked of the running daemon, by signals and by commands over MQTT."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Controls:
    """Wishes that the loop looks at between two frames; set from any thread."""

    def __init__(self) -> None:
        """Nothing is asked for."""
        self.stopped = threading.Event()
        self.reload = threading.Event()
        #: Why the configuration that was read last was not taken; empty when it was.
        self.refused = ""
        self._reloading = False
        self._paused = threading.Event()

    @property
    def paused(self) -> bool:
        """Whether the watch is paused, by `pause`."""
        return self._paused.is_set()

    @property
    def reloading(self) -> bool:
        """Whether the configuration is to be read, or being taken up: what holds may change."""
        # In this order: the wish is taken back after the work has begun.
        return self.reload.is_set() or self._reloading

    def reload_begins(self) -> None:
        """The wish is being granted; a further one from now on is another."""
        self._reloading = True
        self.reload.clear()

    def reload_ends(self, refused: str) -> None:
        """`refused`: why all is as it was before; empty when the new configuration holds."""
        self.refused = refused
        self._reloading = False

    def pause(self) -> dict[str, Any]:
        """Watch nobody until `resume` or the next start; the answer to the command."""
        self._paused.set()
        return {"paused": True}

    def resume(self) -> dict[str, Any]:
        """Watch again; the answer to the command."""
        self._paused.clear()
        return {"paused": False}


@contextmanager
def signals_to(controls: Controls) -> Iterator[None]:
    """While this lasts: SIGINT and SIGTERM stop, SIGHUP reloads.

    The first SIGINT or SIGTERM asks for a clean stop; a second one ends the process at
    once, and loses nothing that is in the outbox.
    """

    def stop(number: int, _frame: object) -> None:
        if controls.stopped.is_set():
            os._exit(128 + number)
        controls.stopped.set()

    def reload(_number: int, _frame: object) -> None:
        controls.reload.set()

    wanted = {signal.SIGINT: stop, signal.SIGTERM: stop, signal.SIGHUP: reload}
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
