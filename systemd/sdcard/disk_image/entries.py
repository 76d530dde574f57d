"""What is put into a file system: files, folders and links, with their owners and modes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

DIRECTORY, REGULAR, LINK = 0o040000, 0o100000, 0o120000


@dataclass(frozen=True)
class File:
    """A file at `path` with `content`, or that of `source`. No representation shows it: it
    may be a secret."""

    path: str
    content: bytes | None = field(default=None, repr=False)
    source: Path | None = None
    mode: int = 0o644
    uid: int = 0
    gid: int = 0

    @property
    def size_bytes(self) -> int:
        """How large it is."""
        if self.content is not None:
            return len(self.content)
        assert self.source is not None
        return self.source.stat().st_size


@dataclass(frozen=True)
class Folder:
    """A folder at `path`; those above it are made as they are needed, with mode 755."""

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
    """The folders above the absolute `path`, the highest first, without the root."""
    for parent in reversed(PurePosixPath(path).parents):
        if str(parent) != "/":
            yield str(parent)


def copy_of(folder: Path, to: str) -> list[Entry]:
    """What lies in `folder` on this machine, to be put below `to`, owned by root."""
    entries: list[Entry] = [Folder(to)]
    for path in sorted(folder.rglob("*")):
        target = f"{to}/{path.relative_to(folder).as_posix()}"
        if path.is_symlink():
            entries.append(Link(target, str(path.readlink())))
        elif path.is_dir():
            entries.append(Folder(target))
        else:
            entries.append(File(target, source=path, mode=0o755 if _runs(path) else 0o644))
    return entries


def size_of(entries: Iterable[Entry]) -> int:
    """How much room `entries` take in blocks of 4 KiB, in bytes."""
    return sum(
        4096 * (1 + (entry.size_bytes if isinstance(entry, File) else 0) // 4096 + 1)
        for entry in entries
    )


def _runs(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o100)
