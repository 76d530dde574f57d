"""The partition table of an image of Raspberry Pi OS: a FAT boot partition, then an ext4 root.

An image that `make image` made may have a third partition between them, for the daemon's data.
"""

from __future__ import annotations

import os
import struct
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from edge.common.errors import UserError
from sdcard.disk_image.sparse_files import copy_sparsely

SECTOR_BYTES = 512
#: The table of four entries in the master boot record.
TABLE_AT, ENTRY_BYTES, ENTRIES = 446, 16, 4
FAT_KINDS = frozenset({0x01, 0x04, 0x06, 0x0B, 0x0C, 0x0E})
LINUX, PROTECTIVE = 0x83, 0xEE
#: Value of the fields for cylinder, head, and sector if an address lies beyond the first 8 GB,
#: which these fields cannot express. Only the sector number counts then.
CHS_OVERFLOW = b"\xfe\xff\xff"
EXT_MAGIC_AT, EXT_MAGIC = 1024 + 56, b"\x53\xef"
NO_LAYOUT = "this is not an image of Raspberry Pi OS (a FAT boot partition, then an ext4 root)"


@dataclass(frozen=True)
class Partition:
    """A primary partition; `number` counts from 1, as the kernel does."""

    number: int
    kind: int
    start_bytes: int
    size_bytes: int

    @property
    def end_bytes(self) -> int:
        """The offset of the first byte behind the partition."""
        return self.start_bytes + self.size_bytes


@dataclass(frozen=True)
class Layout:
    """The partitions, and the disk identifier, which is a part of each PARTUUID.

    `data` lies before the root, although its number is higher.
    """

    boot: Partition
    root: Partition
    disk_id: str
    data: Partition | None = None


def read_layout(image: Path) -> Layout:
    """Return the partitions of `image`; raises UserError unless they are those of Raspberry Pi
    OS."""
    with image.open("rb") as file:
        head = file.read(SECTOR_BYTES)
        if len(head) < SECTOR_BYTES or head[510:512] != b"\x55\xaa":
            raise UserError(f"{image}: {NO_LAYOUT}: it has no partition table")
        parts = [part for number in range(ENTRIES) if (part := _entry(head, number))]
        if any(part.kind == PROTECTIVE for part in parts):
            raise UserError(f"{image}: {NO_LAYOUT}: its partition table is a GPT")
        kinds = [part.kind for part in parts]
        if len(kinds) not in (2, 3) or kinds[0] not in FAT_KINDS or {*kinds[1:]} != {LINUX}:
            types = ", ".join(f"{kind:02x}" for kind in kinds) or "none"
            raise UserError(f"{image}: {NO_LAYOUT}: its partitions have the types {types}")
        boot, root = parts[:2]
        data = parts[2] if len(parts) == 3 else None
        layout = Layout(boot, root, f"{struct.unpack_from('<I', head, 440)[0]:08x}", data)
        in_order = [part for part in (boot, data, root) if part is not None]
        if any(a.end_bytes > b.start_bytes for a, b in pairwise(in_order)):
            raise UserError(f"{image}: {NO_LAYOUT}: its partitions have another order")
        if root.end_bytes > image.stat().st_size:
            raise UserError(f"{image} is incomplete: its partitions end behind the file")
        file.seek(layout.root.start_bytes + EXT_MAGIC_AT)
        if file.read(2) != EXT_MAGIC:
            raise UserError(f"{image}: {NO_LAYOUT}: its second partition is not an ext4")
    return layout


def set_root_size(image: Path, layout: Layout, size_bytes: int) -> Layout:
    """Set the size of the root partition in the table; return the new layout."""
    sectors = size_bytes // SECTOR_BYTES
    with image.open("r+b") as file:
        file.seek(TABLE_AT + (layout.root.number - 1) * ENTRY_BYTES + 12)
        file.write(struct.pack("<I", sectors))
        file.flush()
        os.fsync(file.fileno())
    return read_layout(image)


def insert_before_root(image: Path, layout: Layout, size_bytes: int) -> Layout:
    """Move the root back by `size_bytes`, and make the gap the third partition.

    `size_bytes` is a multiple of the sector size. The content of the new partition is undefined.
    Returns the new layout.

    The root stays the last partition on the disk, so that Raspberry Pi OS can grow it to fill the
    card, and the second in the table, as its PARTUUID contains that number.
    """
    root = layout.root
    assert root.number == 2
    with tempfile.NamedTemporaryFile(dir=image.parent) as copy, image.open("r+b") as file:
        file.seek(root.start_bytes)
        copy_sparsely(file, copy, root.size_bytes)
        copy.truncate(root.size_bytes)
        copy.seek(0)
        file.truncate(root.start_bytes)
        file.seek(root.start_bytes + size_bytes)
        copy_sparsely(copy, file)
        file.truncate(root.end_bytes + size_bytes)
        at = TABLE_AT + (root.number - 1) * ENTRY_BYTES
        file.seek(at + 8)
        file.write(struct.pack("<I", (root.start_bytes + size_bytes) // SECTOR_BYTES))
        file.seek(at + ENTRY_BYTES)
        start, sectors = root.start_bytes // SECTOR_BYTES, size_bytes // SECTOR_BYTES
        file.write(struct.pack("<B3sB3sII", 0, CHS_OVERFLOW, LINUX, CHS_OVERFLOW, start, sectors))
        file.flush()
        os.fsync(file.fileno())
    return read_layout(image)


def _entry(head: bytes, number: int) -> Partition | None:
    kind, start, sectors = struct.unpack_from("<4xB3xII", head, TABLE_AT + number * ENTRY_BYTES)
    if kind == 0 or sectors == 0:
        return None
    return Partition(number + 1, kind, start * SECTOR_BYTES, sectors * SECTOR_BYTES)
