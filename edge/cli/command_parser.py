"""Adds a command to the command line, with its description and examples."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from typing import TypeAlias

#: Columns of a description. argparse does not wrap it, because it must keep the lines of the
#: examples.
WIDTH = 78

# Written as a string: only type checkers accept type arguments for argparse's class.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_command(
    commands: Commands, name: str, help: str, description: str, examples: Sequence[str]
) -> argparse.ArgumentParser:
    """Add the command `name`; return its parser, for the options.

    `help` is the line in the list of commands; `examples` are complete command lines.
    """
    heading = "example" if len(examples) == 1 else "examples"
    return commands.add_parser(
        name,
        help=help,
        description=textwrap.fill(description, WIDTH),
        epilog="\n  ".join([f"{heading}:", *examples]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
