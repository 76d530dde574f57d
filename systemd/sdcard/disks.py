"""Find a disk, and decide whether an image may be written to it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.common.errors import UsageError, UserError

SECTOR_BYTES = 512
#: Names of SD cards in a built-in reader; the kernel reports these as not removable.
CARD_NAME = re.compile(r"mmcblk\d+\Z")


@dataclass(frozen=True)
class KernelPaths:
    """The files in which the kernel describes disks; tests replace them by imitations."""

    sys: Path = Path("/sys")
    mounts: Path = Path("/proc/self/mounts")
    swaps: Path = Path("/proc/swaps")


@dataclass(frozen=True)
class Disk:
    """A whole disk: its device file, its name in /sys/block, and its model.

    For a disk on USB that the kernel does not report as removable, `on_usb` is true, and
    `removable` as well. `number` is the device number.
    """

    path: Path
    name: str
    model: str
    size_bytes: int
    removable: bool
    on_usb: bool
    number: int


def find_disk(path: Path, kernel: KernelPaths = KernelPaths()) -> Disk:
    """Return the disk at `path`; raises UsageError if it is a partition or not a disk."""
    try:
        real = path.resolve(strict=True)
        status = real.stat()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; `lsblk` lists the disks") from None
    if not stat.S_ISBLK(status.st_mode) and kernel == KernelPaths():
        raise UsageError(f"{path} is not a disk; `lsblk` lists the disks")
    for block in sorted((kernel.sys / "block").glob("*")):
        if (block / real.name / "partition").exists():
            raise UsageError(f"{path} is a partition of /dev/{block.name}: name the whole disk")
    folder = kernel.sys / "block" / real.name
    if not folder.exists():
        raise UsageError(f"{path} is not a whole disk; `lsblk` lists the disks")
    removable = _text(folder / "removable") == "1" or _is_card(folder, real.name)
    on_usb = not removable and _is_on_usb(folder, real.name)
    return Disk(
        path=real,
        name=real.name,
        model=" ".join(f"{_text(folder / 'device/vendor')} {_model(folder)}".split()) or "unnamed",
        size_bytes=int(_text(folder / "size") or 0) * SECTOR_BYTES,
        removable=removable or on_usb,
        on_usb=on_usb,
        number=status.st_rdev,
    )


def require_writable(disk: Disk, image_bytes: int, kernel: KernelPaths = KernelPaths()) -> None:
    """Raise UserError if an image of `image_bytes` must not be written to `disk`."""
    if mount_points := _mount_points(disk, kernel):
        if "/" in mount_points:
            raise UserError(f"{disk.path} holds the running system: it is not overwritten")
        raise UserError(f"{disk.path} is mounted at {', '.join(mount_points)}: unmount it first")
    if holders := _holders(disk, kernel):
        raise UserError(f"{disk.path} is in use by {', '.join(holders)}: it is not overwritten")
    if not disk.removable:
        raise UserError(
            f"{disk.path} ({disk.model}) is not removable and therefore not an SD card: it is not"
            " overwritten"
        )
    if disk.size_bytes == 0:
        raise UserError(f"{disk.path} is a card reader without a card")
    if disk.size_bytes < image_bytes:
        raise UserError(
            f"{disk.path} is too small: it has {disk.size_bytes / 1e9:.1f} GB, and the image needs"
            f" {image_bytes / 1e9:.1f} GB"
        )


def device_files(disk: Disk, kernel: KernelPaths = KernelPaths()) -> list[Path]:
    """Return the device files of the disk and of its partitions."""
    folder = kernel.sys / "block" / disk.name
    names = sorted(path.parent.name for path in folder.glob("*/partition"))
    return [disk.path, *(disk.path.with_name(name) for name in names)]


def _model(folder: Path) -> str:
    return _text(folder / "device/model") or _text(folder / "device/name")


def _is_card(folder: Path, name: str) -> bool:
    """Return whether the disk is an SD card in a built-in reader; a soldered eMMC is not."""
    return bool(CARD_NAME.match(name)) and _text(folder / "device/type") == "SD"


def _is_on_usb(folder: Path, name: str) -> bool:
    return not CARD_NAME.match(name) and "/usb" in str(folder.resolve())


def _mount_points(disk: Disk, kernel: KernelPaths) -> Sequence[str]:
    """Return where the disk, its partitions, and mappings on them (LUKS, LVM) are mounted."""
    found = []
    for line in kernel.mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        device, mount_point = [*line.split(), "", ""][:2]
        if device.startswith("/dev/") and disk.name in _underlying_disks(device, kernel):
            found.append(mount_point.replace("\\040", " "))
    return found


def _holders(disk: Disk, kernel: KernelPaths) -> Sequence[str]:
    """Return what uses the disk or its partitions: volume groups, RAIDs, swap."""
    folder = kernel.sys / "block" / disk.name
    parts = [folder, *(path.parent for path in folder.glob("*/partition"))]
    found = [f"/dev/{holder.name}" for part in parts for holder in (part / "holders").glob("*")]
    swaps = kernel.swaps.read_text(encoding="utf-8") if kernel.swaps.exists() else ""
    for line in swaps.splitlines()[1:]:
        if disk.name in _underlying_disks(line.split()[0], kernel):
            found.append("swap")
    return found


def _underlying_disks(device: str, kernel: KernelPaths) -> set[str]:
    """Return the names of the disks that contain `device`, also through partitions and mappings."""
    found: set[str] = set()
    if device == "/dev/root":  # the kernel's name for a root that it mounted itself
        number = Path("/").stat().st_dev
        link = kernel.sys / f"dev/block/{os.major(number)}:{os.minor(number)}"
        device = f"/dev/{link.resolve().name}"
    waiting = [Path(os.path.realpath(device)).name]
    while waiting:
        name = waiting.pop()
        folder = kernel.sys / "block" / name
        if folder.exists():
            found.add(name)
            waiting += [
                slave.name for slave in (folder / "slaves").glob("*") if slave.name not in found
            ]
            continue
        for block in (kernel.sys / "block").glob("*"):
            if (block / name / "partition").exists():
                waiting.append(block.name)
                waiting += [slave.name for slave in (block / name / "slaves").glob("*")]
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
