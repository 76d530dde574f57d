"""All outputs of a daemon: its pins and its programs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from edge.config.output_settings import OutputSettings
from edge.events.alert_machine import Event
from edge.outputs.pin import GpioPin, Pin
from edge.outputs.pin_controller import PinController
from edge.outputs.program_runner import STOP_TIMEOUT_S, ProgramRunner
from edge.outputs.state import OutputState


class Outputs:
    """Switches and runs what `[[output]]` says, inside its context.

    The thread of the loop calls all methods but `states`, which any thread may call. None waits for
    a pin or a program, except `check`, which opens pins, and `stop`.
    """

    def __init__(
        self,
        outputs: Sequence[OutputSettings],
        idle_s: Callable[[], float],
        open_pin: Callable[[OutputSettings], Pin] = GpioPin,
    ) -> None:
        """`idle_s` returns the time since the loop last completed a turn."""
        self._settings = tuple(outputs)
        self._pins = PinController(idle_s, open_pin)
        self._programs = [ProgramRunner(output) for output in _programs(outputs)]

    def __enter__(self) -> Outputs:
        """Open the pins, all off; raises UsageError if one can never be used."""
        self._pins.start(_pins(self._settings))
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def switch(self, event: Event) -> None:
        """Switch the pins at the start or the end of an alert."""
        self._pins.update(event)

    def run(self, event: Event, body: Mapping[str, Any]) -> None:
        """Run the programs for an event; `body` is what they get."""
        for program in self._programs:
            program.run(event, body)

    def check(self, outputs: Sequence[OutputSettings]) -> None:
        """Raise UserError if a pin of `outputs` that is not open cannot be used."""
        self._pins.check(_pins(outputs))

    def change(self, outputs: Sequence[OutputSettings]) -> None:
        """Use `outputs` from now on; those that have not changed keep their state."""
        if tuple(outputs) == self._settings:
            return
        self._settings = tuple(outputs)
        self._pins.change(_pins(outputs))
        known = {program.settings: program for program in self._programs}
        self._programs = [
            known[output] if output in known else ProgramRunner(output)
            for output in _programs(outputs)
        ]
        for output, program in known.items():
            if output not in outputs:
                program.stop(0.0)

    def stop(self) -> None:
        """Switch all pins off, and end the programs; may be called again."""
        self._pins.stop()
        until_s = time.monotonic() + STOP_TIMEOUT_S
        for program in self._programs:
            program.stop(max(0.0, until_s - time.monotonic()))

    def states(self) -> list[OutputState]:
        """Return the present state of each output."""
        return [*self._pins.states, *(program.state for program in self._programs)]


def _pins(outputs: Sequence[OutputSettings]) -> list[OutputSettings]:
    return [output for output in outputs if output.pin is not None]


def _programs(outputs: Sequence[OutputSettings]) -> list[OutputSettings]:
    return [output for output in outputs if output.command]
