"""The FAT boot partition inside an image file, read and written by mtools."""

from __future__ import annotations

import tempfile
from pathlib import Path

from edge.common.errors import UserError
from sdcard.disk_image.partition_table import Partition
from sdcard.disk_image.sparse_files import copy_sparsely
from sdcard.programs import run


class Fat:
    """The file system in `partition` of `image`."""

    def __init__(self, image: Path, partition: Partition) -> None:
        """Reads nothing yet."""
        self._image = image
        self._partition = partition
        self._device = f"{image}@@{partition.start_bytes}"  # the notation of mtools

    def is_sound(self) -> bool:
        """Return whether fsck finds no error."""
        try:
            self.check()
        except UserError:
            return False
        return True

    def check(self) -> None:
        """Check the file system; raises UserError if it has errors."""
        with tempfile.NamedTemporaryFile(dir=self._image.parent) as copy:
            with self._image.open("rb") as image:
                image.seek(self._partition.start_bytes)
                copy_sparsely(image, copy, self._partition.size_bytes)
            copy.truncate(self._partition.size_bytes)
            copy.flush()
            run("fsck.vfat", "-n", copy.name)

    def read(self, name: str) -> bytes | None:
        """Return the content of a file in the top folder, such as `cmdline.txt`; None if there is
        no such file."""
        if name not in self.names():
            return None
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "copy"
            run("mcopy", "-i", self._device, f"::{name}", copy)
            return copy.read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """Write a file in the top folder, replacing an existing one."""
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "copy"
            copy.write_bytes(content)
            run("mcopy", "-o", "-i", self._device, copy, f"::{name}")

    def names(self) -> list[str]:
        """Return the names in the top folder."""
        text = run("mdir", "-b", "-i", self._device, "::")
        return [line.removeprefix("::/").rstrip("/") for line in text.splitlines() if line]

    def require_boot_files(self) -> None:
        """Raise UserError unless this is the boot partition of a Raspberry Pi."""
        names = set(self.names())
        if missing := {"cmdline.txt", "config.txt"} - names:
            raise UserError(
                f"{self._image}: this is not an image of Raspberry Pi OS:"
                f" {', '.join(sorted(missing))} is missing in its boot partition"
            )
