"""Where the files that the daemon needs lie when the configuration names none."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from edge.common.errors import UserError

PACKAGE = Path(__file__).resolve().parents[1]
#: The daemon's status file in its RuntimeDirectory, and how often it is written.
STATUS_NAME = "status.json"
STATUS_INTERVAL_S = 2.0


def user_path(text: str) -> Path:
    """A path as a user writes it, with ~ for the home; raises UserError when it is none."""
    try:
        path = Path(text).expanduser()
        # Native libraries take the bytes as they are and crash on what is no UTF-8.
        str(path).encode()
        if "\0" in text:
            raise ValueError("it holds a null character")
    except (RuntimeError, ValueError) as error:
        raise UserError(f"{text!r} is no path that can be used: {error}") from None
    return path


def kind_of(path: Path) -> str:
    """`file`, `folder`, `camera` (a character device), or `missing`.

    Raises UserError when the system does not let us look.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        raise UserError(f"cannot open {path}: {error.strerror}") from None
    if stat.S_ISDIR(mode):
        return "folder"
    return "camera" if stat.S_ISCHR(mode) else "file"


def demo_clip() -> Path:
    """The bundled clip, which the first run plays."""
    return PACKAGE / "assets" / "demo.mp4"


def shipped_model() -> Path:
    """The model that is used when the configuration names none."""
    return PACKAGE.parent / "models" / "mask.tflite"


def event_schema() -> Path:
    """The JSON Schema of a published event."""
    return PACKAGE / "schema" / "event.schema.json"


def runtime_directory() -> Path | None:
    """systemd's RuntimeDirectory, in memory; None when systemd did not start us."""
    given = os.environ.get("RUNTIME_DIRECTORY")
    return Path(given.split(":")[0]) if given else None


def state_directory() -> Path:
    """systemd's StateDirectory, else the user's own, by the XDG rules."""
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "mask-patrol"
