"""Cards with the stock image: their boot partition, cloud-init, and the size of their root."""

from __future__ import annotations

import subprocess
from pathlib import Path

from sdcard.disk_image.ext4 import Ext4
from sdcard.disk_image.fat import Fat
from sdcard.disk_image.partition_table import read_layout, set_root_size
from sdcard.programs import find

from tests.pi.disk import BOOT_AT, ROOT_AT, base_disk, copy_disk
from tests.pi.roots import TRIXIE


def disk_with_cloud_init(folder: Path) -> Path:
    """Return a disk of Trixie with active cloud-init, as on Raspberry Pi OS."""
    disk = copy_disk(base_disk(TRIXIE), folder / "disk.img")
    marker = "rm /etc/cloud/cloud-init.disabled"
    subprocess.run([find("debugfs"), "-w", "-R", marker, f"{disk}?offset={ROOT_AT}"], check=True)
    return disk


def grow_root(disk: Path, more_bytes: int) -> None:
    """Make the root file system larger, as the first boot of Raspberry Pi OS does."""
    layout = read_layout(disk)
    size = layout.root.size_bytes + more_bytes
    Ext4(disk, ROOT_AT).grow(size)
    set_root_size(disk, layout, size)


def boot_partition(disk: Path) -> Fat:
    return Fat(disk, read_layout(disk).boot)


def mount_boot(disk: Path, folder: Path) -> Path:
    """Return a folder in `folder` that stands for the mounted boot partition of the card."""
    boot = folder / "bootfs"
    boot.mkdir()
    (boot / "cmdline.txt").write_bytes(boot_partition(disk).read("cmdline.txt") or b"")
    return boot


def eject_boot(disk: Path, boot: Path) -> None:
    """Write the files in the folder of `mount_boot` to the boot partition."""
    device = f"{disk}@@{BOOT_AT}"
    for path in boot.iterdir():
        subprocess.run([find("mcopy"), "-s", "-o", "-i", device, path, "::"], check=True)
