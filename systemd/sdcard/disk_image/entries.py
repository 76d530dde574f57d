"""Entries that are written to a file system: files, folders, and links with owners and modes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

DIRECTORY, REGULAR, LINK = 0o040000, 0o100000, 0o120000
BLOCK_BYTES = 4096


@dataclass(frozen=True)
class File:
    """A file at `path` with `content`, or with the content of the file `source`.

    `repr()` does not show `content`, because it may be a secret.
    """

    path: str
    content: bytes | None = field(default=None, repr=False)
    source: Path | None = None
    mode: int = 0o644
    uid: int = 0
    gid: int = 0

    @property
    def size_bytes(self) -> int:
        """The size of the content."""
        if self.content is not None:
            return len(self.content)
        assert self.source is not None
        return self.source.stat().st_size


@dataclass(frozen=True)
class Folder:
    """A folder at `path`; missing parents are created with mode 755."""

    path: str
    mode: int = 0o755
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class Link:
    """A symbolic link at `path` to `target`."""

    path: str
    target: str


Entry = File | Folder | Link


def parents(path: str) -> Iterator[str]:
    """Yield the folders above the absolute `path`, from the top, without the root."""
    for parent in reversed(PurePosixPath(path).parents):
        if str(parent) != "/":
            yield str(parent)


def size_of(entries: Iterable[Entry]) -> int:
    """Return the disk space that `entries` need in blocks of 4 KiB, in bytes.

    Each entry counts as its full blocks of content, one block for a partly filled last block, and
    one block for its inode and name.
    """
    return sum(
        BLOCK_BYTES * (1 + (entry.size_bytes if isinstance(entry, File) else 0) // BLOCK_BYTES + 1)
        for entry in entries
    )
