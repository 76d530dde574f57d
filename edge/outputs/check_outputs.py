"""Tests outputs before the daemon depends on them: pins by opening them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence

from edge.common.errors import UserError
from edge.config.output_settings import OutputSettings
from edge.outputs.pin import GpioPin, Pin, PinBusyError


def check_outputs(
    outputs: Sequence[OutputSettings],
    daemon_runs: bool,
    open_pin: Callable[[OutputSettings], Pin] = GpioPin,
) -> str:
    """Return a line on each output; raises UserError with all lines if one cannot be used.

    No pin is switched on, and no program is run. `daemon_runs`: whether a daemon runs that may have
    the pins.
    """
    lines, failed = [], False
    for output in outputs:
        try:
            text = _check_program(output) if output.command else _check_pin(output, open_pin)
        except PinBusyError as error:
            text = f"{output.pin_name}, in use by a running mask-patrol or another program"
            if not daemon_runs:
                text, failed = str(error), True
        except UserError as error:
            text, failed = str(error), True
        lines.append(f"{output.name}: {text}")
    if failed:
        raise UserError("\n".join(lines))
    return "\n".join(lines)


def _check_pin(output: OutputSettings, open_pin: Callable[[OutputSettings], Pin]) -> str:
    open_pin(output).close()
    return f"{output.pin_name}, active {output.active}"


def _check_program(output: OutputSettings) -> str:
    program = output.command[0]
    if shutil.which(program) is None:
        raise UserError(f"{program} is no program that this account can run: correct `command`")
    return program
