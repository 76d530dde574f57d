"""What the kernel says of a disk, and whether a card may be written there."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.common.errors import UsageError, UserError

SECTOR_BYTES = 512
#: Readers of SD cards on the mainboard's own bus call their cards not removable.
CARD_NAME = re.compile(r"mmcblk\d+\Z")


@dataclass(frozen=True)
class System:
    """Where the kernel's view is found; tests make one of their own."""

    sys: Path = Path("/sys")
    mounts: Path = Path("/proc/self/mounts")
    swaps: Path = Path("/proc/swaps")


@dataclass(frozen=True)
class Disk:
    """A whole disk: its name as in /sys/block, and what it calls itself.

    `removable` also when it only hangs on USB, as `pluggable` says; `number` is the kernel's own.
    """

    path: Path
    name: str
    model: str
    size_bytes: int
    removable: bool
    pluggable: bool
    number: int


def find_disk(path: Path, system: System = System()) -> Disk:
    """The disk at `path`; raises UsageError when it is none, or only a part of one."""
    try:
        real = path.resolve(strict=True)
        status = real.stat()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; `lsblk` lists the disks") from None
    if not stat.S_ISBLK(status.st_mode) and system == System():
        raise UsageError(f"{path} is no disk; `lsblk` lists the disks")
    for block in sorted((system.sys / "block").glob("*")):
        if (block / real.name / "partition").exists():
            raise UsageError(f"{path} is a partition of /dev/{block.name}: name the whole disk")
    folder = system.sys / "block" / real.name
    if not folder.exists():
        raise UsageError(f"{path} is no whole disk; `lsblk` lists the disks")
    removable = _text(folder / "removable") == "1" or _is_card(folder, real.name)
    pluggable = not removable and _is_on_usb(folder, real.name)
    return Disk(
        path=real,
        name=real.name,
        model=" ".join(f"{_text(folder / 'device/vendor')} {_model(folder)}".split()) or "unnamed",
        size_bytes=int(_text(folder / "size") or 0) * SECTOR_BYTES,
        removable=removable or pluggable,
        pluggable=pluggable,
        number=status.st_rdev,
    )


def require_writable(disk: Disk, image_bytes: int, system: System = System()) -> None:
    """Raises UserError with the reason why an image must not be written to `disk`."""
    if where := _mounted(disk, system):
        if "/" in where:
            raise UserError(f"{disk.path} holds the running system: it is not overwritten")
        raise UserError(f"{disk.path} is mounted at {', '.join(where)}: unmount it first")
    if holders := _holders(disk, system):
        raise UserError(f"{disk.path} is in use by {', '.join(holders)}: it is not overwritten")
    if not disk.removable:
        raise UserError(
            f"{disk.path} ({disk.model}) is not removable: that is no SD card, so it is not"
            " overwritten"
        )
    if disk.size_bytes == 0:
        raise UserError(f"{disk.path} holds no card")
    if disk.size_bytes < image_bytes:
        raise UserError(
            f"{disk.path} is too small: it has {disk.size_bytes / 1e9:.1f} GB, the image"
            f" {image_bytes / 1e9:.1f} GB"
        )


def parts_of(disk: Disk, system: System = System()) -> list[Path]:
    """The device files of the disk and its partitions."""
    folder = system.sys / "block" / disk.name
    names = sorted(path.parent.name for path in folder.glob("*/partition"))
    return [disk.path, *(disk.path.with_name(name) for name in names)]


def _model(folder: Path) -> str:
    return _text(folder / "device/model") or _text(folder / "device/name")


def _is_card(folder: Path, name: str) -> bool:
    """An SD card in a reader on the board; an eMMC is none: that is soldered."""
    return bool(CARD_NAME.match(name)) and _text(folder / "device/type") == "SD"


def _is_on_usb(folder: Path, name: str) -> bool:
    return not CARD_NAME.match(name) and "/usb" in str(folder.resolve())


def _mounted(disk: Disk, system: System) -> Sequence[str]:
    """Where it, or a partition of it, is mounted; the root also by what lies between."""
    found = []
    for line in system.mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        device, where = [*line.split(), "", ""][:2]
        if device.startswith("/dev/") and disk.name in _disks_below(device, system):
            found.append(where.replace("\\040", " "))
    return found


def _holders(disk: Disk, system: System) -> Sequence[str]:
    """What is built on it or its partitions: volume groups, RAIDs, swap."""
    folder = system.sys / "block" / disk.name
    parts = [folder, *(path.parent for path in folder.glob("*/partition"))]
    found = [f"/dev/{holder.name}" for part in parts for holder in (part / "holders").glob("*")]
    swaps = system.swaps.read_text(encoding="utf-8") if system.swaps.exists() else ""
    for line in swaps.splitlines()[1:]:
        if disk.name in _disks_below(line.split()[0], system):
            found.append("swap")
    return found


def _disks_below(device: str, system: System) -> set[str]:
    """The names of the disks that `device` lies on, through partitions and mappings."""
    found: set[str] = set()
    if device == "/dev/root":  # what the kernel mounted by itself has no better name there
        number = Path("/").stat().st_dev
        link = system.sys / f"dev/block/{os.major(number)}:{os.minor(number)}"
        device = f"/dev/{link.resolve().name}"
    waiting = [Path(os.path.realpath(device)).name]
    while waiting:
        name = waiting.pop()
        folder = system.sys / "block" / name
        if folder.exists():
            found.add(name)
            waiting += [
                slave.name for slave in (folder / "slaves").glob("*") if slave.name not in found
            ]
            continue
        for block in (system.sys / "block").glob("*"):
            if (block / name / "partition").exists():
                waiting.append(block.name)
                waiting += [slave.name for slave in (block / name / "slaves").glob("*")]
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
