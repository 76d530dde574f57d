from __future__ import annotations

import os
import signal

import pytest

from edge.common.signals import signal_handlers


def test_handlers_are_in_force_only_inside_the_context() -> None:
    received: list[int] = []
    before = signal.getsignal(signal.SIGUSR1)
    with signal_handlers({signal.SIGUSR1: lambda number, _: received.append(number)}):
        os.kill(os.getpid(), signal.SIGUSR1)
    assert received == [signal.SIGUSR1]
    assert signal.getsignal(signal.SIGUSR1) == before


def test_previous_handlers_return_after_an_error() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with (
        pytest.raises(RuntimeError, match="inside"),
        signal_handlers({signal.SIGUSR1: signal.SIG_IGN}),
    ):
        raise RuntimeError("inside")
    assert signal.getsignal(signal.SIGUSR1) == before
