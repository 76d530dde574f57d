"""The commands for the service on a device: `mask-patrol status | update`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edge.common.errors import UsageError, UserError

#: How long a new version has to come online. After a power cut the network may take longer; the
#: door is watched all the same meanwhile.
WITHIN_S, AFTER_CUT_S = 120.0, 300.0
SHORTEST_S, MAX_DURATION_S = 1.0, 3600.0


def add_status(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `status` to the command line."""
    parser = commands.add_parser(
        "status",
        help="show how the service on this device is",
        description="One screen on the service that runs on this device: camera, model, broker,"
        " outbox, temperature, last event. Exit code 0 only when all is well.",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(do=_status, log_level="warning", log_format="auto")


def add_update(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `update` to the command line."""
    parser = commands.add_parser(
        "update",
        help="update the service on this device from a bundle, or go back",
        description="Install a bundle beside the version that runs, try its parts, switch to it"
        " and watch it come online; if it does not, the old version runs again.",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("bundle", nargs="?", type=Path, metavar="BUNDLE", help="from `make bundle`")
    what.add_argument("--back", action="store_true", help="return to the version before")
    what.add_argument(
        "--settle", action="store_true", help="end a trial that was cut off (done at each start)"
    )
    parser.add_argument(
        "--within",
        type=float,
        metavar="SECONDS",
        default=None,
        help=f"how long the version has to come online (default: {WITHIN_S:g}, or"
        f" {AFTER_CUT_S:g} after a cut)",
    )
    parser.set_defaults(do=_update, log_level="warning", log_format="auto")


def _status(options: argparse.Namespace) -> int:
    from edge.service.status import read_report, report_json, screen_lines

    report = read_report()
    for line in [report_json(report)] if options.json else screen_lines(report):
        sys.stdout.write(f"{line}\n")
    return 0 if report.healthy else UserError.exit_code


def _update(options: argparse.Namespace) -> int:
    from edge.service.update import roll_back, settle, update

    within_s = options.within or (AFTER_CUT_S if options.settle else WITHIN_S)
    if not SHORTEST_S <= within_s <= MAX_DURATION_S:
        raise UsageError(f"--within takes {SHORTEST_S:g} to {MAX_DURATION_S:g} seconds")
    if options.settle:
        return settle(within_s)
    return roll_back(within_s) if options.back else update(options.bundle, within_s)
