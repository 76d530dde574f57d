"""What speaks against a disk's being an SD card that may be lost, though it could be written to."""

from __future__ import annotations

from pathlib import Path

from edge.common.errors import UserError
from sdcard.disks import Disk, System, parts_of
from sdcard.programs import run

#: Cards for a Pi are smaller; disks with other people's work are larger.
LARGE_BYTES = 512 * 10**9
#: blkid's names for what is part of something larger, and is not mounted itself.
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
#: Exit codes of blkid: found; nothing there; several at once.
FOUND, NOTHING, SEVERAL = 0, 2, 8


def doubts_about(disk: Disk, system: System = System()) -> list[str]:  # noqa: B008 - frozen
    """Reasons why a `yes` that was said in advance cannot have meant this disk; none for most."""
    found = []
    if disk.size_bytes > LARGE_BYTES:
        found.append("it is larger than SD cards for a Raspberry Pi are")
    if disk.pluggable:
        found.append("it is a disk on USB, not a card in a reader")
    for path in parts_of(disk, system):
        if path.exists() and (what := _member(path)):
            found.append(f"{path.name} holds {what}")
    return found


def _member(path: Path) -> str:
    """What a device is a part of, by its signature; empty when it stands for itself."""
    try:
        # Past blkid's memory of earlier disks at this name.
        said = run(
            "blkid", "--probe", "--match-tag", "TYPE", "--output", "value", path,
            accept=(FOUND, NOTHING, SEVERAL),
        ).strip()  # fmt: skip
    except UserError:  # it cannot be read, which opening it for writing will tell better
        return ""
    if said.endswith("_raid_member"):
        return "a part of a RAID"
    return MEMBERS.get(said, "")
