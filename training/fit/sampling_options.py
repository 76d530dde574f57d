"""The options of `train` and `cross` that say how often faces are drawn and altered."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping

from edge.common.errors import UsageError
from training.common.train_config import TrainConfig
from training.data.command_options import share


def add_draw_options(parser: argparse.ArgumentParser) -> None:
    """Add --draws and --put-on."""
    defaults = TrainConfig()
    parser.add_argument(
        "--draws",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="how often each face of the data set NAME (its folder's name) is drawn in an epoch;"
        " may be repeated"
        f" (default: {defaults.annotated_draws:g} for boxed faces, 1 for other faces)",
    )
    parser.add_argument(
        "--put-on",
        type=share,
        default=defaults.put_on,
        metavar="SHARE",
        help="share of the samples of bare faces, except boxed ones, on which the mask of another"
        " face is drawn, worn correctly, incorrectly, or as a collar (default: %(default)s)",
    )


def parse_draws(arguments: Iterable[str]) -> dict[str, float]:
    """Return the numbers of `--draws` by data set; raises UsageError for a wrong one."""
    draws = {}
    for argument in arguments:
        name, _, number = argument.partition("=")
        try:
            draws[name] = float(number)
        except ValueError:
            draws[name] = -1.0
        if not 0 < draws[name] <= 100:
            raise UsageError(
                f"--draws {argument}: expected NAME=NUMBER with a NUMBER above 0 and up to 100,"
                " such as scenes=3"
            )
    return draws


def check_draws(draws: Mapping[str, float], known: Iterable[str]) -> None:
    """Raise UsageError if `draws` names a data set that is not `known`."""
    known = list(known)
    if unknown := sorted(set(draws) - set(known)):
        raise UsageError(
            f"--draws: there is no data set {', '.join(unknown)}; the data sets are"
            f" {', '.join(known)}"
        )
