"""The commands for the installed service on a device: `status`, `update` and `screen`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from edge.cli.command_parser import Commands, add_command
from edge.common.errors import UsageError, UserError

#: How long a new release may take to come online, in seconds.
ONLINE_TIMEOUT_S = 120.0
#: How long the release may take to come online after a power failure, in seconds: the network may
#: take longer to start. Until it is online, the release works and keeps its events.
SETTLE_TIMEOUT_S = 300.0
MIN_TIMEOUT_S, MAX_TIMEOUT_S = 1.0, 3600.0


def add_status(commands: Commands) -> None:
    """Add `status` to the command line."""
    parser = add_command(
        commands,
        "status",
        help="show the state of the service on this device",
        description="Show the state of the service on this device on one screen: camera, model,"
        " broker, outbox, temperature, last event. With several cameras, show a line for each, or"
        " all about the camera NAME. Exit code 0 only if everything works.",
        examples=["mask-patrol status", "mask-patrol status door2", "mask-patrol status --json"],
    )
    parser.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="show this camera; the first one is called mask-patrol (default: all)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object (default: text)")
    parser.set_defaults(do=_status, log_level="warning", log_format="auto")


def add_update(commands: Commands) -> None:
    """Add `update` to the command line."""
    parser = add_command(
        commands,
        "update",
        help="update the service on this device, or return to the previous release",
        description="Install the release of a bundle beside the running one, check it, switch to"
        " it, and wait until it is online. If it does not come online, the old release is started"
        " again. If a release key is pinned (/etc/mask-patrol/release-key.pub), only bundles that"
        " are signed with it are installed. Needs root.",
        examples=[
            "sudo mask-patrol update mask-patrol-0.2.0-arm64.tar",
            "sudo mask-patrol update --back",
        ],
    )
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument(
        "bundle",
        nargs="?",
        type=Path,
        metavar="BUNDLE",
        help="the bundle, made by `make release` or `make bundle`",
    )
    action.add_argument("--back", action="store_true", help="return to the previous release")
    action.add_argument(
        "--settle",
        action="store_true",
        help="finish an update that was interrupted, as the service does at each start",
    )
    parser.add_argument(
        "--allow-downgrade",
        action="store_true",
        help="install the bundle even if it is older than the release that runs (default: refuse)",
    )
    parser.add_argument(
        "--within",
        type=float,
        metavar="SECONDS",
        default=None,
        help="return to the old release if the new one is not online after SECONDS"
        f" (default: {ONLINE_TIMEOUT_S:g}, with --settle {SETTLE_TIMEOUT_S:g})",
    )
    parser.set_defaults(do=_update, log_level="warning", log_format="auto")


def add_screen(commands: Commands, add_common: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `screen` to the command line; `add_common` adds the options that all commands have."""
    parser = add_command(
        commands,
        "screen",
        help="print the address of the screen at the door for the display of this device",
        description="Print the address of the screen at the door, for a browser on the display of"
        " this device. `install.sh --screen` sets one up.",
        examples=[
            "mask-patrol screen --config door.toml",
            'chromium --kiosk "$(mask-patrol screen --config door.toml)"',
        ],
    )
    parser.add_argument(
        "--page",
        type=Path,
        metavar="FILE",
        help="write a page that opens the screen as soon as the dashboard answers",
    )
    add_common(parser)
    parser.set_defaults(do=_screen)


def _screen(options: argparse.Namespace) -> int:
    from edge.config.settings import load_settings
    from edge.service.door_screen import screen_address, start_page, write_page

    settings = load_settings(options.config)
    if options.page is None:
        sys.stdout.write(f"{screen_address(settings)}\n")
    else:
        write_page(start_page(settings), options.page)
    return 0


def _status(options: argparse.Namespace) -> int:
    from edge.service.cameras import find_camera, installed_cameras
    from edge.service.overview import overview_json, overview_lines, read_state
    from edge.service.status import read_report, report_json, screen_lines

    cameras = installed_cameras() if options.name is None else [find_camera(options.name)]
    if len(cameras) == 1:
        report = read_report(camera=cameras[0])
        lines = [report_json(report)] if options.json else screen_lines(report)
        healthy = report.healthy
    else:
        states = [read_state(camera) for camera in cameras]
        lines = [overview_json(states)] if options.json else overview_lines(states)
        healthy = not any(state.has_problem for state in states)
    for line in lines:
        sys.stdout.write(f"{line}\n")
    return 0 if healthy else UserError.exit_code


def _update(options: argparse.Namespace) -> int:
    from edge.service.update import roll_back, settle, update

    within_s = options.within or (SETTLE_TIMEOUT_S if options.settle else ONLINE_TIMEOUT_S)
    if not MIN_TIMEOUT_S <= within_s <= MAX_TIMEOUT_S:
        raise UsageError(f"--within must be {MIN_TIMEOUT_S:g} to {MAX_TIMEOUT_S:g} seconds")
    if options.settle:
        return settle(within_s)
    if options.back:
        return roll_back(within_s)
    return update(options.bundle, within_s, options.allow_downgrade)
