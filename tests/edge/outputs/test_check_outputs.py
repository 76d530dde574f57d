from __future__ import annotations

import sys

import pytest

from edge.common.errors import UserError
from edge.config.output_settings import OutputSettings
from edge.outputs.check_outputs import check_outputs
from edge.outputs.pin import PinBusyError
from tests.support.recorded_pins import Board

LIGHT = OutputSettings(name="light", pin=17, active="low")
SAY = OutputSettings(name="say", command=(sys.executable, "-c", "1/0"))
BUSY = PinBusyError("GPIO17 is in use by another program")


def test_pins_are_opened_and_closed_and_programs_only_looked_for() -> None:
    board = Board()
    text = check_outputs([LIGHT, SAY], daemon_runs=False, open_pin=board)
    assert text == f"light: GPIO17, active low\nsay: {sys.executable}"
    assert board.log == ["GPIO17 opened", "GPIO17 closed"]


def test_pin_of_the_running_daemon_is_no_fault() -> None:
    """`mask-patrol update` checks the new release while the old one runs."""
    board = Board()
    board.broken["GPIO17"] = BUSY
    assert "in use by a running mask-patrol" in check_outputs([LIGHT], True, board)
    with pytest.raises(UserError, match="GPIO17 is in use by another program"):
        check_outputs([LIGHT], False, board)


def test_all_faults_are_reported() -> None:
    board = Board()
    board.broken["GPIO17"] = UserError("GPIO17 cannot be used: the wire is loose")
    missing = OutputSettings(name="ring", command=("/none",))
    with pytest.raises(UserError) as caught:
        check_outputs([LIGHT, missing, SAY], daemon_runs=True, open_pin=board)
    assert str(caught.value).splitlines() == [
        "light: GPIO17 cannot be used: the wire is loose",
        "ring: /none is no program that this account can run: correct `command`",
        f"say: {sys.executable}",
    ]
