"""The command `mask-patrol outputs`: access of the service to pins, and pins without the daemon."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from edge.cli.command_parser import Commands, add_command
from edge.common.errors import UserError
from edge.config.settings import load_settings


def add_outputs(commands: Commands, add_common: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `outputs` and its own command to the command line; `add_common` adds --config."""
    parser = add_command(
        commands,
        "outputs",
        help="let the service use pins, or switch the pins off",
        description="Let the service use the pins of [[output]], or switch them off while no daemon"
        " runs. While a daemon runs, it has its pins, and they are reported as in use.",
        examples=[
            "sudo mask-patrol outputs setup",
            "mask-patrol outputs off --config door.toml",
        ],
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION", title="actions")
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
