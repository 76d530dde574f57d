"""The partition table of an image of Raspberry Pi OS: a FAT boot partition, then ext4."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

from edge.errors import UserError

SECTOR_BYTES = 512
TABLE_AT, ENTRY_BYTES, ENTRIES = 446, 16, 4
FAT_KINDS = frozenset({0x01, 0x04, 0x06, 0x0B, 0x0C, 0x0E})
LINUX, PROTECTIVE = 0x83, 0xEE
EXT_MAGIC_AT, EXT_MAGIC = 1024 + 56, b"\x53\xef"
NO_LAYOUT = "this is no image of Raspberry Pi OS (a FAT boot partition, then an ext4 root)"


@dataclass(frozen=True)
class Partition:
    """A primary partition; `number` counts from 1, as the kernel does."""

    number: int
    kind: int
    start_bytes: int
    size_bytes: int

    @property
    def end_bytes(self) -> int:
        """Where the first byte behind it lies."""
        return self.start_bytes + self.size_bytes


@dataclass(frozen=True)
class Layout:
    """The two partitions, and the identity of the disk that PARTUUIDs are made of."""

    boot: Partition
    root: Partition
    disk_id: str


def read_layout(image: Path) -> Layout:
    """The partitions of `image`; raises UserError when it is not laid out like Raspberry Pi OS."""
    with image.open("rb") as file:
        head = file.read(SECTOR_BYTES)
        if len(head) < SECTOR_BYTES or head[510:512] != b"\x55\xaa":
            raise UserError(f"{image}: {NO_LAYOUT}: it has no partition table")
        parts = [part for number in range(ENTRIES) if (part := _entry(head, number))]
        if any(part.kind == PROTECTIVE for part in parts):
            raise UserError(f"{image}: {NO_LAYOUT}: its partition table is a GPT")
        if len(parts) != 2 or parts[0].kind not in FAT_KINDS or parts[1].kind != LINUX:
            kinds = ", ".join(f"{part.kind:02x}" for part in parts) or "none"
            raise UserError(f"{image}: {NO_LAYOUT}: its partitions are of the types {kinds}")
        layout = Layout(parts[0], parts[1], f"{struct.unpack_from('<I', head, 440)[0]:08x}")
        size = image.stat().st_size
        if layout.root.start_bytes < layout.boot.end_bytes or layout.root.end_bytes > size:
            raise UserError(f"{image} is cut off: its partitions end behind the file")
        file.seek(layout.root.start_bytes + EXT_MAGIC_AT)
        if file.read(2) != EXT_MAGIC:
            raise UserError(f"{image}: {NO_LAYOUT}: its second partition holds no ext4")
    return layout


def set_root_size(image: Path, layout: Layout, size_bytes: int) -> Layout:
    """Make the last partition of `image` end where its file system has come to end."""
    sectors = size_bytes // SECTOR_BYTES
    with image.open("r+b") as file:
        file.seek(TABLE_AT + (layout.root.number - 1) * ENTRY_BYTES + 12)
        file.write(struct.pack("<I", sectors))
        file.flush()
        os.fsync(file.fileno())
    return read_layout(image)


def _entry(head: bytes, number: int) -> Partition | None:
    kind, start, sectors = struct.unpack_from("<4xB3xII", head, TABLE_AT + number * ENTRY_BYTES)
    if kind == 0 or sectors == 0:
        return None
    return Partition(number + 1, kind, start * SECTOR_BYTES, sectors * SECTOR_BYTES)
