"""The part of a card that goes on being written to: a partition for the daemon's events and
snapshots, apart from the root."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sdcard.holes import copy_sparsely
from sdcard.partitions import Layout, insert_before_root
from sdcard.tools import run

LABEL = "mask-patrol"
#: The daemon's StateDirectory.
MOUNTED = "/var/lib/mask-patrol"
MEBI = 1 << 20
#: By its label, as Raspberry Pi OS gives the disk another identity at its first boot. Without it
#: the device is to be reached by SSH (`nofail`), if without the daemon, which waits for it.
LINE = f"LABEL={LABEL} {MOUNTED} ext4 defaults,noatime,nofail,x-systemd.device-timeout=30 0 2\n"


def add_data_partition(image: Path, layout: Layout, size_mebi: int) -> Layout:
    """Put an empty ext4 of `size_mebi` MiB before the root of `image`. Raises UserError."""
    size = size_mebi * MEBI
    layout = insert_before_root(image, layout, size)
    assert layout.data is not None
    with tempfile.NamedTemporaryFile(dir=image.parent) as alone, image.open("r+b") as file:
        alone.truncate(size)
        # Nobody but the daemon writes here, so nothing is kept back for root.
        run("mkfs.ext4", "-q", "-F", "-m", "0", "-L", LABEL, alone.name)
        file.seek(layout.data.start_bytes)
        copy_sparsely(alone, file)
    return layout


def fstab_with_data(fstab: bytes | None) -> bytes:
    """/etc/fstab with the partition in it."""
    text = (fstab or b"").decode(errors="surrogateescape").rstrip("\n")
    return f"{text}\n{LINE}".lstrip("\n").encode(errors="surrogateescape")
