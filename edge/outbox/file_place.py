"""Which file a path leads to: it may be removed, moved, replaced, or hidden by a mount."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

#: The suffix of SQLite's write-ahead log.
LOG_SUFFIX = "-wal"
#: The suffixes of the files that belong to a database besides the database file itself.
COMPANION_SUFFIXES = (LOG_SUFFIX, "-shm", "-journal")


class FilePlace:
    """Tells whether a path still leads to an open database. No method raises an exception.

    Compares device and inode of the database and its write-ahead log, and size and time of the
    last change of the database, which another program may overwrite in place.
    """

    def __init__(self, path: Path) -> None:
        """Remember the files that `path` leads to now, which are open."""
        self._path = path
        self._files, self._content = self._on_disk()

    def is_same(self) -> bool:
        """Return whether the path leads to the open files."""
        return self._on_disk()[0] == self._files

    def is_unchanged(self) -> bool:
        """Return whether the path leads to the open files and only this process changed them."""
        return self._on_disk() == (self._files, self._content)

    def note_own_change(self) -> None:
        """Regard the present size and time of the last change as caused by this process."""
        self._content = self._on_disk()[1]

    def _on_disk(self) -> tuple[object, object]:
        """Return the identities of database and log, and the size and time of the database."""
        # SQLite keeps the log beside the file that a symbolic link leads to.
        real = os.path.realpath(self._path)
        database, log = _status(real), _status(real + LOG_SUFFIX)
        files = [(status.st_dev, status.st_ino) if status else None for status in (database, log)]
        return files, (database.st_size, database.st_mtime_ns) if database else None


def _status(path: str) -> os.stat_result | None:
    try:
        return Path(path).stat()
    except OSError:
        return None


def files_of(path: Path) -> list[Path]:
    """Return `path` and the paths of its companion files, whether they exist or not."""
    return [path.with_name(path.name + suffix) for suffix in ("", *COMPANION_SUFFIXES)]


def special_file(path: Path) -> Path | None:
    """Return `path` or a companion file of it if that is a folder, a FIFO or a device.

    SQLite would wait for ever for another program to open a FIFO.
    """
    for candidate in files_of(path):
        with suppress(OSError):
            if not stat.S_ISREG(candidate.stat().st_mode):
                return candidate
    return None
