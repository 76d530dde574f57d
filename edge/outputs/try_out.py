"""Tries an output out: what it does at an invented alert."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from edge.common.errors import UserError
from edge.config.hours import Hours
from edge.config.output_settings import OutputSettings
from edge.events.alert_machine import Event
from edge.outputs.pin import GpioPin, Pin
from edge.outputs.pin_controller import PinController
from edge.outputs.program_runner import ProgramRunner

#: The event that a program gets. It has the keys of a published event.
INVENTED_EVENT = {
    "schema": 1, "event_type": "no_mask_start", "id": f"test-{'0' * 26}", "seq": 1,
    "device": "test",
    "camera": "test", "time": "2026-01-01T00:00:00.000Z", "clock_synced": True, "age_s": 0.0,
    "replayed": False, "label": "no_mask", "score": 1.0, "readings": 1,
    "box": [0.4, 0.4, 0.2, 0.2], "duration_s": None, "ended_by": None,
    "model": f"sha256:{'0' * 64}",
}  # fmt: skip


def try_out(
    output: OutputSettings,
    alert_s: float,
    open_pin: Callable[[OutputSettings], Pin] = GpioPin,
    wait: Callable[[float], None] = time.sleep,
) -> str:
    """Do what `output` does at an alert of `alert_s` seconds; return what was done.

    Its hours and labels are ignored, and so is `min_on_s`. Raises UserError if it does not work.
    """
    always = msgspec.structs.replace(
        output, hours=Hours(), labels=(), min_on_s=0.0, events=("no_mask_start",)
    )
    start = Event("no_mask_start", "test", 0.0, 1.0, 1, (0.4, 0.4, 0.2, 0.2))
    if output.command:
        program = ProgramRunner(always)
        program.run(start, INVENTED_EVENT)
        try:
            program.stop(output.timeout_s + 1.0)
        finally:  # Ctrl-C does not reach the program, which has a process group of its own
            program.stop(0.0)
        if problem := program.state.problem:
            raise UserError(f"the program of the output {output.name} failed: {problem}")
        return f"{output.name}: {output.command[0]} has ended without an error"
    pins = PinController(lambda: 0.0, open_pin)
    pins.check([always])
    try:
        pins.start([always])
        pins.update(start)
        wait(max(alert_s, output.on_s if output.mode == "pulse" else 0.0))
        (state,) = pins.states
    finally:
        pins.stop()
    if state.problem:
        raise UserError(f"the output {output.name} does not work: {state.problem}")
    return f"{output.name}: {output.pin_name} was switched on ({output.mode}), and is off again"
