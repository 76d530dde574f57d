"""An ext4 file system inside an image file, read and written without mounting it.

e2fsprogs does the work: it takes `FILE?offset=BYTES` for a file system that begins there.
"""

from __future__ import annotations

import re
import struct
import tempfile
from collections.abc import Iterable
from pathlib import Path

from edge.common.errors import UserError
from sdcard.disk_image.entries import DIRECTORY, LINK, REGULAR, Entry, File, Folder, Link, parents
from sdcard.disk_image.sparse_files import copy_sparsely
from sdcard.programs import complaints, run

SUPERBLOCK_AT = 1024
CLEAN, HAS_ERRORS = 1, 2
NEEDS_RECOVERY = 0x4
#: All that debugfs writes as an error when everything went well.
BANNER = re.compile(r"debugfs \d")


class Ext4:
    """The file system that begins at `offset_bytes` of `image`."""

    def __init__(self, image: Path, offset_bytes: int = 0) -> None:
        """Nothing is read yet."""
        if "?" in str(image) or '"' in str(image):
            raise UserError(f"{image}: e2fsprogs takes no ? or \" in a file's name; rename it")
        self.image = image
        self._offset = offset_bytes
        self._device = f"{image}?offset={offset_bytes}" if offset_bytes else str(image)

    def require_clean(self) -> None:
        """Raises UserError when it was not unmounted, or is damaged.

        Its journal would be replayed at the next mount, over whatever is written here.
        """
        with self.image.open("rb") as file:
            file.seek(self._offset + SUPERBLOCK_AT)
            block = file.read(1024)
        state, incompatible = struct.unpack_from("<H", block, 58)[0], _word(block, 96)
        if incompatible & NEEDS_RECOVERY or not state & CLEAN or state & HAS_ERRORS:
            raise UserError(
                f"{self.image} was not shut down cleanly, so nothing can be put into it:"
                " take a fresh image of Raspberry Pi OS, as downloaded"
            )

    def check(self) -> None:
        """Read all of it; raises UserError when it is not in order."""
        run("e2fsck", "-f", "-n", self._device)

    def free_bytes(self) -> int:
        """Room for files, without what is kept for root."""
        text = run("dumpe2fs", "-h", self._device)
        blocks, reserved, size = (
            int(_said(rf"^{name}:\s+(\d+)", text))
            for name in ("Free blocks", "Reserved block count", "Block size")
        )
        return max(0, blocks - reserved) * size

    def grow(self, size_bytes: int) -> None:
        """Make it larger; it is the last in its file, which grows along.

        In a file of its own meanwhile: resize2fs cuts a file off where a file system of that
        size would end that begins at 0.
        """
        with tempfile.NamedTemporaryFile(dir=self.image.parent) as alone:
            with self.image.open("rb") as image:
                image.seek(self._offset)
                copy_sparsely(image, alone)
            alone.truncate(size_bytes)
            alone.flush()
            run("e2fsck", "-f", "-p", alone.name, accept=(0, 1))
            run("resize2fs", alone.name)
            alone.seek(0)
            with self.image.open("r+b") as image:
                image.truncate(self._offset)
                image.seek(self._offset)
                copy_sparsely(alone, image)
                image.truncate(self._offset + size_bytes)

    def exists(self, path: str) -> bool:
        """Whether there is something at `path`."""
        return "Type:" in run("debugfs", "-R", f'stat "{path}"', self._device)

    def read(self, path: str) -> bytes | None:
        """The content of a file, with links in its path followed; None when there is none."""
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "copy"
            run("debugfs", "-R", f'dump "{self.resolve(path)}" "{copy}"', self._device)
            return copy.read_bytes() if copy.exists() else None

    def copy_out(self, path: str, to: Path) -> bool:
        """Copy the folder `path` into the folder `to`; whether there was one."""
        if not self.exists(path):
            return False
        run("debugfs", "-R", f'rdump "{path}" "{to}"', self._device)
        return True

    def resolve(self, path: str, depth: int = 8) -> str:
        """`path` without symbolic links in it, as debugfs writes to none."""
        done = ""
        for part in path.strip("/").split("/"):
            here = f"{done}/{part}"
            target = self._link_target(here) if depth else None
            if target is None:
                done = here
            else:
                joined = target if target.startswith("/") else f"{done}/{target}"
                done = self.resolve(_normal(joined), depth - 1)
        return done or "/"

    def write(self, entries: Iterable[Entry]) -> None:
        """Put `entries` in, over what is there; raises UserError when one did not get there.

        A folder that exists keeps its owner and mode, unless a Folder says otherwise.
        """
        with tempfile.TemporaryDirectory() as folder:
            script = _Script(self, Path(folder))
            for entry in entries:
                script.add(entry)
            commands = Path(folder) / "commands"
            commands.write_text("".join(f"{line}\n" for line in script.lines))
            told = complaints("debugfs", "-w", "-f", commands, self._device)
        if failed := [line for line in told if line and not BANNER.match(line)]:
            raise UserError(f"{self.image}: cannot put files in: {failed[0]}")

    def _link_target(self, path: str) -> str | None:
        text = run("debugfs", "-R", f'stat "{path}"', self._device)
        if "Type: symlink" not in text:
            return None
        if match := re.search(r'^Fast link dest: "(.*)"$', text, re.MULTILINE):
            return match[1]
        return run("debugfs", "-R", f'cat "{path}"', self._device).strip() or None


class _Script:
    """The commands of debugfs that make entries; content that is in memory goes through
    files in `folder`, which only we may read."""

    def __init__(self, target: Ext4, folder: Path) -> None:
        self.lines: list[str] = []
        self._target = target
        self._folder = folder
        self._made: dict[str, str] = {}

    def add(self, entry: Entry) -> None:
        where = self._place(entry.path)
        match entry:
            case Folder():
                self._make_folder(entry.path)
                self._set(where, DIRECTORY | entry.mode, entry.uid, entry.gid)
            case File():
                if (source := entry.source) is None:
                    source = self._folder / f"content-{len(self.lines)}"
                    source.write_bytes(entry.content or b"")
                self._remove(where)
                self.lines.append(f'write "{source.resolve()}" "{where}"')
                self._set(where, REGULAR | entry.mode, entry.uid, entry.gid)
            case Link():
                self._remove(where)
                self.lines.append(f'symlink "{where}" "{entry.target}"')
                self._set(where, LINK | 0o777, 0, 0)

    def _place(self, path: str) -> str:
        """Where `path` really lies, its folders made."""
        above = ""
        for parent in parents(path):
            above = self._make_folder(parent)
        return f"{above}/{path.rsplit('/', 1)[1]}"

    def _make_folder(self, path: str) -> str:
        if path not in self._made:
            above = self._made.get(path.rsplit("/", 1)[0], "")
            place = f"{above}/{path.rsplit('/', 1)[1]}"
            if self._target.exists(place):
                place = self._target.resolve(place)
            else:
                self.lines.append(f'mkdir "{place}"')
                self._set(place, DIRECTORY | 0o755, 0, 0)
            self._made[path] = place
        return self._made[path]

    def _remove(self, where: str) -> None:
        above = where.rsplit("/", 1)[0]
        if above in self._made.values() and self._is_new(above):
            return
        if self._target.exists(where):
            self.lines.append(f'rm "{where}"')

    def _is_new(self, place: str) -> bool:
        return f'mkdir "{place}"' in self.lines

    def _set(self, where: str, mode: int, uid: int, gid: int) -> None:
        for name, value in (("mode", f"0{mode:o}"), ("uid", uid), ("gid", gid)):
            self.lines.append(f'sif "{where}" {name} {value}')


def _normal(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def _word(block: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", block, at)[0])


def _said(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    if match is None:
        raise UserError(f"dumpe2fs did not say what was asked: {pattern}")
    return match[1]
