"""The command `mask-patrol outputs`: tries outputs out, and lets the service use pins."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from edge.cli.command_parser import Commands, add_command
from edge.common.errors import UsageError, UserError
from edge.common.signals import signal_handlers
from edge.config.settings import load_settings

#: How long the invented alert of `outputs test` lasts, in seconds.
TEST_S = 3.0
#: The signals that end `outputs test`.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def add_outputs(commands: Commands, add_common: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `outputs` and its own command to the command line; `add_common` adds --config."""
    parser = add_command(
        commands,
        "outputs",
        help="try out an output, let the service use pins, or switch the pins off",
        description="Try out an output of [[output]], let the service use pins, or switch the pins"
        " off. While a daemon runs, it has its pins, and they are reported as in use.",
        examples=[
            "mask-patrol outputs test light --config door.toml",
            "sudo mask-patrol outputs setup",
            "mask-patrol outputs off --config door.toml",
        ],
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION", title="actions")
    test = actions.add_parser(
        "test",
        help="switch an output on, or run its program, for a moment",
        description=f"Do what the output NAME does at an alert of {TEST_S:g} seconds, at any hour."
        " A program gets an invented event.",
    )
    test.add_argument("name", metavar="NAME", help="the name of the output")
    add_common(test)
    test.set_defaults(do=_test)
    setup = actions.add_parser(
        "setup",
        help="give the service access to pins",
        description="Give the installed service access to pins if the settings of a camera name"
        " any, take it away otherwise, and restart the service. Run this after you have added the"
        " first pin, or removed the last one. Needs root.",
    )
    setup.set_defaults(do=_setup, log_level="warning", log_format="auto")
    off = actions.add_parser(
        "off",
        help="switch all pins off",
        description="Switch all pins of [[output]] off after a daemon that was killed, which could"
        " not do it itself. The service runs this after each stop.",
    )
    add_common(off)
    off.set_defaults(do=_off)


def _test(options: argparse.Namespace) -> int:
    from edge.outputs.try_out import try_out

    outputs = load_settings(options.config).output
    output = next((each for each in outputs if each.name == options.name), None)
    if output is None:
        names = ", ".join(each.name for each in outputs) or "none"
        raise UsageError(f"there is no output {options.name}; the settings have: {names}")
    # The pin is switched off, and the program is ended.
    with signal_handlers(dict.fromkeys(ENDING, _interrupt_once)):
        sys.stdout.write(f"{try_out(output, TEST_S)}\n")
    return 0


def _interrupt_once(_number: int, _frame: FrameType | None) -> NoReturn:
    """Handle a signal as Ctrl-C, and ignore the next ones: a closed terminal sends several."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _setup(_options: argparse.Namespace) -> int:
    from edge.service.update import set_up_outputs

    set_up_outputs()
    sys.stdout.write("The service restarts; mask-patrol status shows its outputs.\n")
    return 0


def _off(options: argparse.Namespace) -> int:
    from edge.outputs.pin import GpioPin

    settings = load_settings(options.config)
    code = 0
    for output in settings.output:
        if output.pin is None:
            continue
        try:
            GpioPin(output).close()
        except UserError as error:
            sys.stderr.write(f"mask-patrol: output {output.name}: {error}\n")
            code = UserError.exit_code
        else:
            sys.stdout.write(f"{output.name}: {output.pin_name} is off\n")
    return code
