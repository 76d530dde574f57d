"""The part of a card that goes on being written to: a partition for the daemon's events and
snapshots, apart from the root."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sdcard.disk_image.partition_table import Layout, insert_before_root
from sdcard.disk_image.sparse_files import copy_sparsely
from sdcard.programs import run

#: By which systemd/storage/mount-data finds it.
LABEL = "mask-patrol"
MEBI = 1 << 20


def add_data_partition(image: Path, layout: Layout, size_mebi: int) -> Layout:
    """Put an empty ext4 of `size_mebi` MiB before the root of `image`. Raises UserError."""
    size = size_mebi * MEBI
    layout = insert_before_root(image, layout, size)
    assert layout.data is not None
    with tempfile.NamedTemporaryFile(dir=image.parent) as alone, image.open("r+b") as file:
        alone.truncate(size)
        # Nobody but the daemon writes here, so nothing is kept back for root; pages of 4 KiB.
        run("mkfs.ext4", "-q", "-F", "-m", "0", "-b", "4096", "-L", LABEL, alone.name)
        file.seek(layout.data.start_bytes)
        copy_sparsely(alone, file)
    return layout
