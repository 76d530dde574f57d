"""Reasons why a disk is probably not the SD card that the user means, although it is writable."""

from __future__ import annotations

from pathlib import Path

from edge.common.errors import UserError
from sdcard.disks import Disk, KernelPaths, device_files
from sdcard.programs import run

#: SD cards for a Raspberry Pi are smaller; larger disks are likely to hold other data.
LARGE_BYTES = 512 * 10**9
#: File system types that blkid reports for parts of an encrypted volume, a volume group, a RAID, or
#: a pool. Such disks are not mounted themselves, so the check for mounted disks does not find them.
MEMBERS = {
    "crypto_LUKS": "an encrypted volume",
    "BitLocker": "an encrypted volume",
    "LVM1_member": "a part of a volume group",
    "LVM2_member": "a part of a volume group",
    "zfs_member": "a part of a ZFS pool",
    "bcache": "a cached volume",
    "drbd": "a mirrored volume",
    "VMFS_volume_member": "a part of a VMFS volume",
}
#: Exit codes of blkid: a signature was found, none was found, several were found.
FOUND, NOTHING, SEVERAL = 0, 2, 8


def disk_warnings(
    disk: Disk,
    kernel: KernelPaths = KernelPaths(),  # noqa: B008 - frozen
) -> list[str]:
    """Return reasons why `--yes` is not enough to overwrite `disk`; usually none."""
    warnings = []
    if disk.size_bytes > LARGE_BYTES:
        warnings.append("it is larger than SD cards for a Raspberry Pi")
    if disk.on_usb:
        warnings.append("it is a disk on USB, not a card in a reader")
    for path in device_files(disk, kernel):
        if path.exists() and (member := _member(path)):
            warnings.append(f"{path.name} holds {member}")
    return warnings


def _member(path: Path) -> str:
    """Return what the device's signature says, such as `a part of a RAID`, or an empty text."""
    try:
        # --probe reads the device; without it, blkid may report an earlier disk with this name.
        output = run(
            "blkid", "--probe", "--match-tag", "TYPE", "--output", "value", path,
            accept=(FOUND, NOTHING, SEVERAL),
        ).strip()  # fmt: skip
    except UserError:  # the device cannot be read; opening it for writing reports the reason
        return ""
    if output.endswith("_raid_member"):
        return "a part of a RAID"
    return MEMBERS.get(output, "")
