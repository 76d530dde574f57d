"""The command `mask-patrol outputs`."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from edge.cli import output_commands
from edge.cli.main import main
from edge.outputs import try_out


@pytest.mark.parametrize("first", output_commands.ENDING)
def test_second_signal_does_not_prevent_that_the_pin_is_switched_off(
    first: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "door.toml"
    config.write_text('[[output]]\nname = "light"\npin = 17\n')
    switched_off = []

    def trial(*_: Any) -> str:
        try:
            os.kill(os.getpid(), first)
            time.sleep(10.0)
        finally:
            for number in output_commands.ENDING:
                os.kill(os.getpid(), number)
            switched_off.append("light")
        return ""

    monkeypatch.setattr(try_out, "try_out", trial)
    before = [signal.getsignal(number) for number in output_commands.ENDING]
    assert main(["outputs", "test", "light", "--config", str(config)]) == 130
    assert switched_off == ["light"]
    assert [signal.getsignal(number) for number in output_commands.ENDING] == before
