"""The command `mask-patrol camera`, for further cameras of the service on this device."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edge.cli.command_parser import Commands, add_command
from edge.common.errors import UsageError, UserError
from edge.common.hidden_passwords import hide_passwords

#: How long a new camera may take to come online, in seconds: a network camera may need to wake up.
ONLINE_TIMEOUT_S = 60.0
MIN_TIMEOUT_S, MAX_TIMEOUT_S = 1.0, 3600.0
HostAndPort = Callable[[str], tuple[str, int | None]]


def add_camera(commands: Commands, host_and_port: HostAndPort) -> None:
    """Add `camera` and its own commands to the command line; `host_and_port` parses --broker."""
    parser = add_command(
        commands,
        "camera",
        help="manage further cameras of the service on this device",
        description="Manage further cameras of the service on this device. Each has its own"
        " process, the unit mask-patrol@NAME, and its own settings, /etc/mask-patrol/NAME.toml. At"
        " the broker it is the device NAME. Needs root.",
        examples=[
            "sudo mask-patrol camera add door2 --source picamera2:1",
            "sudo mask-patrol camera add door3 --source rtsp://me:secret@192.168.1.20/stream1",
            "sudo mask-patrol camera list",
            "sudo mask-patrol camera remove door2",
        ],
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION", title="actions")
    _add_add(actions, host_and_port)
    _add_action(actions, "list", _list, "print the name, the unit and the source of each camera")
    remove = _add_action(actions, "remove", _remove, "stop a camera, and delete its settings")
    remove.add_argument("name", metavar="NAME", help="the camera")
    remove.add_argument(
        "--purge",
        action="store_true",
        help="also delete its data: events that were not delivered, the number of the last event,"
        " snapshots (default: keep them)",
    )


def _add_action(
    actions: Commands, name: str, do: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    action = actions.add_parser(name, help=text, description=text.capitalize() + ".")
    action.set_defaults(do=do, log_level="warning", log_format="auto")
    return action


def _add_add(actions: Commands, host_and_port: HostAndPort) -> None:
    text = "install a camera, start it, and wait until it is online"
    action = _add_action(actions, "add", lambda o: _add(o, host_and_port), text)
    action.add_argument(
        "name",
        metavar="NAME",
        help="the name of the camera, and of the device at the broker, such as door2",
    )
    action.add_argument(
        "--source",
        required=True,
        metavar="SOURCE",
        help="read frames from SOURCE: picamera2:1, /dev/video2, rtsp://…, http://…. An address"
        " with a password is stored where only root can read it",
    )
    action.add_argument(
        "--title", default="", metavar="TEXT", help="a name for people, any text (default: none)"
    )
    action.add_argument(
        "--broker",
        metavar="HOST[:PORT]",
        help="use this MQTT broker (default: that of the other cameras of this device)",
    )
    action.add_argument(
        "--username",
        default="",
        metavar="NAME",
        help="use this account at the broker; the password is asked for, or read from standard"
        " input (default: a new account at the broker on this device, or the account of the other"
        " cameras)",
    )
    action.add_argument(
        "--keep",
        action="store_true",
        help="keep the camera even if it does not come online (default: remove it again)",
    )
    action.add_argument(
        "--within",
        type=float,
        default=ONLINE_TIMEOUT_S,
        metavar="SECONDS",
        help="how long it may take to come online (default: %(default)g)",
    )


def _add(options: argparse.Namespace, host_and_port: HostAndPort) -> int:
    from edge.service.further_camera.settings_file import NewCamera
    from edge.service.further_camera.setup import CameraSetup

    if not MIN_TIMEOUT_S <= options.within <= MAX_TIMEOUT_S:
        raise UsageError(f"--within must be {MIN_TIMEOUT_S:g} to {MAX_TIMEOUT_S:g} seconds")
    _require_root()
    broker = host_and_port(options.broker) if options.broker is not None else None
    password = _read_password(options.username) if options.username else ""
    new = NewCamera(options.name, options.source, options.title, broker, options.username, password)
    with _locked():
        camera = CameraSetup(_print).add(new, options.within, options.keep)
    _print(f"{camera.name} is online. Its settings are {camera.configuration}; after a change:")
    _print(f"sudo systemctl reload {camera.service}")
    return 0


def _list(_options: argparse.Namespace) -> int:
    from edge.service.cameras import installed_cameras
    from edge.service.further_camera.setup import shown_source

    _require_root()
    cameras = installed_cameras()
    width = max(len(camera.name) for camera in cameras)
    for camera in cameras:
        source = hide_passwords(shown_source(camera))
        _print(f"{camera.name:<{width}}  {camera.unit:<{width + 21}}  {source}")
    return 0


def _remove(options: argparse.Namespace) -> int:
    from edge.service.further_camera.setup import CameraSetup, removable_camera

    with _locked():
        camera = removable_camera(options.name)
        CameraSetup(_print).remove(camera, options.purge)
        is_left = camera.state.exists()
    _print(f"{camera.name} is removed.")
    if is_left:
        _print(f"Left: {camera.state} (sudo rm -r {camera.state} deletes it)")
    return 0


def _read_password(username: str) -> str:
    """Ask for the password of `username`, or read it from standard input; raises UsageError."""
    from edge.common.password_input import read_password

    password = read_password(f"Password of {username} at the broker: ")
    if not password:
        raise UsageError("--username needs the password of that account, which must not be empty")
    return password


@contextmanager
def _locked() -> Iterator[None]:
    """Hold the lock of the installation; raises UserError if nothing can be changed now."""
    from edge.service.read_only_root import root_is_read_only
    from edge.service.releases import installation_lock

    _require_root()
    if root_is_read_only():
        raise UserError(
            "the root is read-only: run sudo mask-patrol-read-only off, reboot, and run this again"
        )
    with installation_lock():
        yield


def _require_root() -> None:
    from edge.service.systemd_unit import linked_release

    if linked_release("current") is None:
        raise UsageError("the service is not installed: install.sh of a bundle installs it")
    if os.geteuid() != 0:
        raise UsageError("must be run as root: sudo mask-patrol camera …")


def _print(line: str) -> None:
    # Without buffering: the output of the check comes in between.
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
