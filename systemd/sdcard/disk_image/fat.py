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
        """Nothing is read yet."""
        self._image = image
        self._partition = partition
        self._device = f"{image}@@{partition.start_bytes}"

    def is_sound(self) -> bool:
        """Whether it is in order."""
        try:
            self.check()
        except UserError:
            return False
        return True

    def check(self) -> None:
        """Read all of it; raises UserError when it is not in order."""
        with tempfile.NamedTemporaryFile(dir=self._image.parent) as copy:
            with self._image.open("rb") as image:
                image.seek(self._partition.start_bytes)
                copy_sparsely(image, copy, self._partition.size_bytes)
            copy.truncate(self._partition.size_bytes)
            copy.flush()
            run("fsck.vfat", "-n", copy.name)

    def read(self, name: str) -> bytes | None:
        """The content of a file, such as `cmdline.txt`; None when there is none."""
        if name not in self.names():
            return None
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "copy"
            run("mcopy", "-i", self._device, f"::{name}", copy)
            return copy.read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """Write a file in the top folder, over one that is there."""
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "copy"
            copy.write_bytes(content)
            run("mcopy", "-o", "-i", self._device, copy, f"::{name}")

    def names(self) -> list[str]:
        """What lies in the top folder."""
        text = run("mdir", "-b", "-i", self._device, "::")
        return [line.removeprefix("::/").rstrip("/") for line in text.splitlines() if line]

    def require_boot_files(self) -> None:
        """Raises UserError when it is not the boot partition of a Raspberry Pi."""
        names = set(self.names())
        if missing := {"cmdline.txt", "config.txt"} - names:
            raise UserError(
                f"{self._image}: this is no image of Raspberry Pi OS: {', '.join(sorted(missing))}"
                " is missing in its boot partition"
            )
