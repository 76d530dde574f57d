"""Run `mask-patrol` with gpiozero's mock pins, whose changes are appended to a file.

Usage: python -m tests.support.mock_pins FOLDER ARGUMENT…

FOLDER/pins.txt gets a line for each change of a pin: the time (epoch seconds), the number, `output`
or `input`, and the level, 0 or 1.
While FOLDER/hang exists, the pipeline hangs at its next frame.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from edge.camera.source import Frame
from edge.events.alert_machine import Event


@dataclass(frozen=True)
class PinChange:
    """A line of the file."""

    at_s: float
    pin: int
    function: str
    level: int


def read_changes(folder: Path) -> list[PinChange]:
    """Return what the process has recorded so far."""
    try:
        lines = (folder / "pins.txt").read_text().splitlines()
    except FileNotFoundError:
        return []
    rows = [line.split() for line in lines if line.count(" ") == 3]
    return [PinChange(float(at), int(pin), kind, int(level)) for at, pin, kind, level in rows]


def _record(folder: Path) -> None:
    """Make the mock pins of this process record their changes in `folder`."""
    from gpiozero.pins.mock import MockPin

    log = (folder / "pins.txt").open("a", buffering=1)
    change_state, set_function = MockPin._change_state, MockPin._set_function

    def write(pin: MockPin) -> None:
        level = int(bool(pin._state))
        log.write(
            f"{time.time():.6f} {pin.info.name.removeprefix('GPIO')} {pin._function} {level}\n"
        )

    def change(pin: MockPin, value: bool) -> bool:
        changed = bool(change_state(pin, value))
        if changed:
            write(pin)
        return changed

    def function(pin: MockPin, value: str) -> None:
        before = pin._function
        set_function(pin, value)
        if before != pin._function:
            write(pin)

    MockPin._change_state, MockPin._set_function = change, function


def _hang_while(path: Path) -> None:
    from edge.events.pipeline import Pipeline

    process = Pipeline.process

    def hanging(pipeline: Pipeline, frame: Frame) -> list[Event]:
        while path.exists():
            time.sleep(0.05)
        return process(pipeline, frame)

    Pipeline.process = hanging  # type: ignore[method-assign]


def main() -> int:
    """Run the command line of `mask-patrol` with the arguments after the folder."""
    os.environ["GPIOZERO_PIN_FACTORY"] = "mock"
    folder = Path(sys.argv[1])
    _record(folder)
    _hang_while(folder / "hang")
    from edge.cli.main import main as mask_patrol

    return mask_patrol(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
