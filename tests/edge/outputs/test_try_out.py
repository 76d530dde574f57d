from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from edge.common.errors import UserError
from edge.common.paths import event_schema
from edge.config.hours import Hours
from edge.config.output_settings import OutputSettings
from edge.outputs.pin import PinBusyError
from edge.outputs.try_out import try_out
from tests.support.recorded_pins import Board
from tests.support.waiting import wait_until

NEVER_NOW = Hours(start="00:00", end="00:01")


def test_pin_is_switched_on_at_any_hour_and_off_again() -> None:
    board = Board()
    light = OutputSettings(name="light", pin=17, min_on_s=3600.0, hours=NEVER_NOW)
    seconds: list[float] = []
    opened = ["GPIO17 opened", "GPIO17 closed", "GPIO17 opened"]

    def wait(duration_s: float) -> None:
        seconds.append(duration_s)
        wait_until(lambda: board.log == [*opened, "GPIO17 on"], "it is on")

    text = try_out(light, 3.0, board, wait)
    assert text == "light: GPIO17 was switched on (on), and is off again"
    assert (board.log[4:], seconds) == (["GPIO17 closed"], [3.0])


def test_pin_of_a_running_daemon_is_reported() -> None:
    board = Board()
    board.broken["GPIO17"] = PinBusyError("GPIO17 is in use by another program")
    with pytest.raises(UserError, match="GPIO17 is in use by another program"):
        try_out(OutputSettings(name="light", pin=17), 0.0, board, lambda _: None)


def test_program_gets_a_valid_event(tmp_path: Path) -> None:
    got = tmp_path / "event.json"
    script = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())"
    say = OutputSettings(name="say", command=(sys.executable, "-c", script, str(got)))
    assert try_out(say, 0.0).endswith("has ended without an error")
    schema = json.loads(event_schema().read_text())
    Draft202012Validator(schema).validate(json.loads(got.read_text()))
    with pytest.raises(UserError, match="the program of the output say failed: exit code 1"):
        try_out(OutputSettings(name="say", command=("/bin/false",)), 0.0)


def test_ctrl_c_ends_the_program(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, signal, sys, time;"
        " pathlib.Path(sys.argv[1]).write_text(str(os.getpid()));"
        " os.kill(os.getppid(), signal.SIGINT); time.sleep(3600)"
    )
    number = tmp_path / "number"
    say = OutputSettings(
        name="say", command=(sys.executable, "-c", script, str(number)), timeout_s=3600.0
    )
    with pytest.raises(KeyboardInterrupt):
        try_out(say, 0.0)
    wait_until(lambda: not is_running(int(number.read_text())), "the program ends")


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
