"""The pictures of a folder, and which files are pictures by their names."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from edge.camera.pictures.picture_formats import PICTURE_SUFFIXES
from edge.common.errors import UserError


def list_pictures(folder: Path) -> list[Path]:
    """Return the pictures of `folder` in the order of their names, 2 before 10.

    Files whose name begins with a dot are left out: macOS writes `._a.jpg` beside `a.jpg`. Raises
    UserError if the folder cannot be read or contains no picture.
    """
    try:
        entries = sorted(folder.iterdir(), key=lambda path: _natural_sort_key(path.name))
    except OSError as error:
        raise UserError(f"cannot read the folder {folder}: {error.strerror}") from None
    pictures = [path for path in entries if _has_picture_name(path) and not _is_special(path)]
    if not pictures:
        raise UserError(f"no pictures in {folder}; {_advice(entries)}")
    return pictures


def is_picture_file(path: Path) -> bool:
    """Return whether `path` is a regular file with the name of a picture."""
    return path.suffix.lower() in PICTURE_SUFFIXES and path.exists() and not _is_special(path)


def _natural_sort_key(name: str) -> list[tuple[int, str]]:
    """Return a sort key that compares runs of digits as numbers."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)
    ]


def _has_picture_name(path: Path) -> bool:
    return not path.name.startswith(".") and path.suffix.lower() in PICTURE_SUFFIXES


def _is_special(path: Path) -> bool:
    """Return whether `path` is a folder, or a FIFO or socket, which could block its reader."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:  # reading it gives the reason
        return False


def _advice(entries: list[Path]) -> str:
    """Return what to do about a folder that contains `entries`, of which none is a picture."""
    for inner in entries:
        try:
            if not inner.name.startswith(".") and any(map(_has_picture_name, inner.iterdir())):
                return f"its folder {inner.name} contains some: name that folder"
        except OSError:  # no folder, or one that cannot be read
            continue
    return f"expected {', '.join(sorted(PICTURE_SUFFIXES))}"
