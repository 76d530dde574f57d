"""An ext4 file system inside an image file, read and written without mounting it.

Uses e2fsprogs, which accepts `FILE?offset=BYTES` for a file system at an offset in a file.
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
from sdcard.programs import run, run_for_errors

SUPERBLOCK_AT = 1024
CLEAN, HAS_ERRORS = 1, 2
NEEDS_RECOVERY = 0x4
#: The only line that debugfs writes to standard error if it succeeds.
BANNER = re.compile(r"debugfs \d")


class Ext4:
    """The file system that begins at `offset_bytes` of `image`."""

    def __init__(self, image: Path, offset_bytes: int = 0) -> None:
        """Reads nothing yet."""
        if "?" in str(image) or '"' in str(image):
            raise UserError(f'{image}: e2fsprogs accepts no ? or " in a file name; rename it')
        self.image = image
        self._offset = offset_bytes
        self._device = f"{image}?offset={offset_bytes}" if offset_bytes else str(image)

    def require_clean(self) -> None:
        """Raise UserError if the file system was not unmounted cleanly, or has errors.

        If it was not unmounted cleanly, the next mount would replay its journal, which could
        overwrite the files that this class writes.
        """
        with self.image.open("rb") as file:
            file.seek(self._offset + SUPERBLOCK_AT)
            block = file.read(1024)
        state, incompatible = struct.unpack_from("<H", block, 58)[0], _word(block, 96)
        if incompatible & NEEDS_RECOVERY or not state & CLEAN or state & HAS_ERRORS:
            raise UserError(
                f"{self.image} was not shut down cleanly, so no files can be added:"
                " use an unused image of Raspberry Pi OS, as downloaded"
            )

    def check(self) -> None:
        """Check the file system; raises UserError if it has errors."""
        run("e2fsck", "-f", "-n", self._device)

    def free_bytes(self) -> int:
        """Return the free space, without the blocks reserved for root."""
        text = run("dumpe2fs", "-h", self._device)
        blocks, reserved, size = (
            int(_search(rf"^{name}:\s+(\d+)", text))
            for name in ("Free blocks", "Reserved block count", "Block size")
        )
        return max(0, blocks - reserved) * size

    def grow(self, size_bytes: int) -> None:
        """Grow the file system, which must be the last one in the image file, to `size_bytes`.

        Works on a copy in a separate file: resize2fs ignores the offset when it truncates the
        file, and would cut the image off.
        """
        with tempfile.NamedTemporaryFile(dir=self.image.parent) as copy:
            with self.image.open("rb") as image:
                image.seek(self._offset)
                copy_sparsely(image, copy)
            copy.truncate(size_bytes)
            copy.flush()
            run("e2fsck", "-f", "-p", copy.name, accept=(0, 1))
            run("resize2fs", copy.name)
            copy.seek(0)
            with self.image.open("r+b") as image:
                image.truncate(self._offset)
                image.seek(self._offset)
                copy_sparsely(copy, image)
                image.truncate(self._offset + size_bytes)

    def exists(self, path: str) -> bool:
        """Return whether `path` exists."""
        return "Type:" in run("debugfs", "-R", f'stat "{path}"', self._device)

    def read(self, path: str) -> bytes | None:
        """Return the content of a file, following links in its path; None if it does not exist."""
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "copy"
            run("debugfs", "-R", f'dump "{self.resolve(path)}" "{copy}"', self._device)
            return copy.read_bytes() if copy.exists() else None

    def copy_out(self, path: str, to: Path) -> bool:
        """Copy the folder `path` into the folder `to`; return whether it exists."""
        if not self.exists(path):
            return False
        run("debugfs", "-R", f'rdump "{path}" "{to}"', self._device)
        return True

    def resolve(self, path: str, depth: int = 8) -> str:
        """Return `path` with symbolic links resolved, as debugfs does not write through them."""
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
        """Write `entries`, replacing existing files; raises UserError if one cannot be written.

        An existing folder keeps its owner and mode, unless `entries` contains a Folder for it.
        """
        with tempfile.TemporaryDirectory() as folder:
            script = _DebugfsScript(self, Path(folder))
            for entry in entries:
                script.add(entry)
            commands = Path(folder) / "commands"
            commands.write_text("".join(f"{line}\n" for line in script.lines))
            errors = run_for_errors("debugfs", "-w", "-f", commands, self._device)
        if failed := [line for line in errors if line and not BANNER.match(line)]:
            raise UserError(f"{self.image}: cannot write the files: {failed[0]}")

    def _link_target(self, path: str) -> str | None:
        text = run("debugfs", "-R", f'stat "{path}"', self._device)
        if "Type: symlink" not in text:
            return None
        if match := re.search(r'^Fast link dest: "(.*)"$', text, re.MULTILINE):
            return match[1]
        return run("debugfs", "-R", f'cat "{path}"', self._device).strip() or None


class _DebugfsScript:
    """The commands of debugfs that create entries.

    Content from memory is first written to files in `folder`, which is readable by this user only.
    """

    def __init__(self, file_system: Ext4, folder: Path) -> None:
        self.lines: list[str] = []
        self._file_system = file_system
        self._folder = folder
        self._folders: dict[str, str] = {}

    def add(self, entry: Entry) -> None:
        target = self._resolved(entry.path)
        match entry:
            case Folder():
                self._make_folder(entry.path)
                self._set(target, DIRECTORY | entry.mode, entry.uid, entry.gid)
            case File():
                if (source := entry.source) is None:
                    source = self._folder / f"content-{len(self.lines)}"
                    source.write_bytes(entry.content or b"")
                self._remove(target)
                self.lines.append(f'write "{source.resolve()}" "{target}"')
                self._set(target, REGULAR | entry.mode, entry.uid, entry.gid)
            case Link():
                self._remove(target)
                self.lines.append(f'symlink "{target}" "{entry.target}"')
                self._set(target, LINK | 0o777, 0, 0)

    def _resolved(self, path: str) -> str:
        """Create the parents of `path`; return the path with links in its parents resolved."""
        above = ""
        for parent in parents(path):
            above = self._make_folder(parent)
        return f"{above}/{path.rsplit('/', 1)[1]}"

    def _make_folder(self, path: str) -> str:
        if path not in self._folders:
            above = self._folders.get(path.rsplit("/", 1)[0], "")
            folder = f"{above}/{path.rsplit('/', 1)[1]}"
            if self._file_system.exists(folder):
                folder = self._file_system.resolve(folder)
            else:
                self.lines.append(f'mkdir "{folder}"')
                self._set(folder, DIRECTORY | 0o755, 0, 0)
            self._folders[path] = folder
        return self._folders[path]

    def _remove(self, path: str) -> None:
        above = path.rsplit("/", 1)[0]
        if above in self._folders.values() and self._is_new(above):
            return
        if self._file_system.exists(path):
            self.lines.append(f'rm "{path}"')

    def _is_new(self, folder: str) -> bool:
        return f'mkdir "{folder}"' in self.lines

    def _set(self, path: str, mode: int, uid: int, gid: int) -> None:
        for name, value in (("mode", f"0{mode:o}"), ("uid", uid), ("gid", gid)):
            self.lines.append(f'sif "{path}" {name} {value}')


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


def _search(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    if match is None:
        raise UserError(f"the output of dumpe2fs does not match {pattern}")
    return match[1]
