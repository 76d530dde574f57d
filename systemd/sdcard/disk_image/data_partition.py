"""The data partition: it holds the daemon's events and snapshots, separate from the root."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sdcard.disk_image.partition_table import Layout, insert_before_root
from sdcard.disk_image.sparse_files import copy_sparsely
from sdcard.programs import run

#: The label of the file system, by which systemd/storage/mount-data finds it.
LABEL = "mask-patrol"
MEBI = 1 << 20


def add_data_partition(image: Path, layout: Layout, size_mebi: int) -> Layout:
    """Insert a partition with an empty ext4 of `size_mebi` MiB before the root of `image`.

    Returns the new layout. Raises UserError.
    """
    size = size_mebi * MEBI
    layout = insert_before_root(image, layout, size)
    assert layout.data is not None
    with tempfile.NamedTemporaryFile(dir=image.parent) as partition, image.open("r+b") as file:
        partition.truncate(size)
        # -m 0: no blocks are reserved for root, as only the daemon writes here. -b 4096: blocks of
        # 4 KiB.
        run("mkfs.ext4", "-q", "-F", "-m", "0", "-b", "4096", "-L", LABEL, partition.name)
        file.seek(layout.data.start_bytes)
        copy_sparsely(partition, file)
    return layout
