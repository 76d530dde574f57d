"""Signal handlers that are in force only inside a context."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from edge.common.errors import UserError

Handler = Callable[[int, FrameType | None], object] | signal.Handlers


class StoppedError(UserError):
    """A signal stopped the command."""


def stop(number: int, _frame: FrameType | None) -> NoReturn:
    """Handle the signal `number` by raising StoppedError."""
    raise StoppedError(f"stopped by {signal.Signals(number).name}")


@contextmanager
def signal_handlers(handlers: Mapping[signal.Signals, Handler]) -> Iterator[None]:
    """Set `handlers` inside the context, and the previous ones again after it.

    Must be entered in the main thread.
    """
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
