"""Requests to the running daemon, from signals, from MQTT commands, and from the dashboard."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from edge.common.signals import Handler, signal_handlers


class Controls:
    """Requests that the loop reads between two frames; they may be made from any thread."""

    def __init__(self) -> None:
        """Start without a request."""
        self.stop_requested = threading.Event()
        self.reload_requested = threading.Event()
        #: Why the last reload was refused; empty when it was applied.
        self.refusal = ""
        self._reloading = False
        self._paused = threading.Event()

    @property
    def paused(self) -> bool:
        """Whether processing is paused by the command `pause`."""
        return self._paused.is_set()

    @property
    def reloading(self) -> bool:
        """Whether a reload is requested or in progress: the settings in force may change."""
        # The order matters: `begin_reload` sets `_reloading` before it clears the request.
        return self.reload_requested.is_set() or self._reloading

    def begin_reload(self) -> None:
        """Clear the request; a request that arrives after this call causes another reload."""
        self._reloading = True
        self.reload_requested.clear()

    def end_reload(self, refusal: str) -> None:
        """Record the result: `refusal` is the reason why the old configuration stays in force,
        or empty when the new one was applied."""
        self.refusal = refusal
        self._reloading = False

    def pause(self) -> dict[str, Any]:
        """Process no frame until `resume` or the next start; return the body of the reply."""
        self._paused.set()
        return {"paused": True}

    def resume(self) -> dict[str, Any]:
        """Process frames again; return the body of the reply."""
        self._paused.clear()
        return {"paused": False}


@contextmanager
def signals_to(controls: Controls) -> Iterator[None]:
    """Turn signals into requests inside the context: SIGINT and SIGTERM stop, SIGHUP reloads.

    The first SIGINT or SIGTERM requests a clean stop. The second SIGINT or SIGTERM ends the
    process at once; events in the outbox are not lost. Must be entered in the main thread.
    """

    def stop(number: int, _frame: object) -> None:
        if controls.stop_requested.is_set():
            os._exit(128 + number)
        controls.stop_requested.set()

    def reload(_number: int, _frame: object) -> None:
        controls.reload_requested.set()

    handlers: dict[signal.Signals, Handler] = {
        signal.SIGINT: stop,
        signal.SIGTERM: stop,
        signal.SIGHUP: reload,
    }
    with signal_handlers(handlers):
        yield
