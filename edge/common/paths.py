"""Default paths of the daemon's files, and checks of paths that users enter."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge.common.errors import UserError
from edge.common.file_access import read_problem

PACKAGE = Path(__file__).resolve().parents[1]
#: Name of the daemon's status file in its RuntimeDirectory, and seconds between two updates.
STATUS_NAME = "status.json"
STATUS_INTERVAL_S = 2.0


def user_path(text: str) -> Path:
    """Return the path that a user entered, with ~ expanded to the home directory.

    Raises UserError when `text` cannot be used as a path.
    """
    try:
        path = Path(text).expanduser()
        # Native libraries use the bytes without a check, and crash if they are not valid UTF-8.
        str(path).encode()
        if "\0" in text:
            raise ValueError("it contains a null character")
    except (RuntimeError, ValueError) as error:
        raise UserError(f"{text!r} cannot be used as a path: {error}") from None
    return path


@contextmanager
def private_files() -> Iterator[None]:
    """Create files and folders that other users cannot access, as the units do with UMask=0077.

    The umask belongs to the whole process, so use this around a whole command.
    """
    previous = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(previous)


def make_private(path: Path) -> None:
    """Take a file that all users can read, as earlier versions created it, away from the others.

    A file that only a group can read as well is left as it is: its owner has decided so.
    """
    with suppress(OSError):  # there is no such file, or it belongs to another user
        mode = path.stat().st_mode
        if mode & stat.S_IROTH:
            path.chmod(stat.S_IMODE(mode) & stat.S_IRWXU)


def kind_of(path: Path) -> str:
    """Return `file`, `folder`, `camera` (a character device) or `missing`.

    Raises UserError when the path cannot be examined, for example for lack of permission.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        reason = read_problem(path) or error.strerror
        raise UserError(f"cannot open {path}: {reason}") from None
    if stat.S_ISDIR(mode):
        return "folder"
    return "camera" if stat.S_ISCHR(mode) else "file"


def exists(path: Path) -> bool:
    """Return whether there is something at `path`; False also if that cannot be examined."""
    try:
        return kind_of(path) != "missing"
    except UserError:
        return False


def demo_clip() -> Path:
    """Return the path of the bundled clip, which is played if no source is configured."""
    return PACKAGE / "assets" / "demo.mp4"


def shipped_model(variant: str = "") -> Path:
    """Return the path of the classifier's model that is used if none is configured.

    `variant` is the suffix of `edge.inference.shipped_variant`.
    """
    return PACKAGE.parent / "models" / f"mask{variant}.tflite"


def shipped_detector(variant: str = "") -> Path:
    """Return the path of the face detector's network that is used if none is configured.

    `variant` is the suffix of `edge.inference.shipped_variant`.
    """
    return PACKAGE.parent / "models" / f"face{variant}.tflite"


def event_schema() -> Path:
    """Return the path of the JSON Schema of a published event."""
    return PACKAGE / "schema" / "event.schema.json"


def runtime_directory() -> Path | None:
    """Return systemd's RuntimeDirectory, which is in memory; None without systemd."""
    given = os.environ.get("RUNTIME_DIRECTORY")
    return Path(given.split(":")[0]) if given else None


def state_directory() -> Path:
    """Return systemd's StateDirectory, or else the user's, as the XDG specification defines it."""
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "mask-patrol"
