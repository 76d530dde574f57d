"""An imitation of the kernel's files about disks, with regular files as the disks."""

from __future__ import annotations

from pathlib import Path

from sdcard.disks import KernelPaths

MEBI = 1 << 20


class FakeKernel:
    """Imitations of /sys/block, /proc/mounts, and /proc/swaps below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = KernelPaths(folder / "sys", folder / "mounts", folder / "swaps")
        self.paths.mounts.write_text("proc /proc proc rw 0 0\n")
        self.paths.swaps.write_text("Filename Type Size Used Priority\n")

    def block(self, name: str) -> Path:
        """Return the folder of a disk in /sys/block."""
        return self.paths.sys / "block" / name

    def add_disk(
        self,
        name: str,
        size_mebi: int = 80,
        removable: bool = True,
        model: str = "Card Reader",
        parts: int = 1,
    ) -> Path:
        """Add a disk with `parts` partitions; return its device file, which contains zeros."""
        folder = self.block(name)
        for part in range(1, parts + 1):
            inner = folder / f"{name}{'p' if name[-1].isdigit() else ''}{part}"
            (inner / "holders").mkdir(parents=True)
            (inner / "partition").write_text(f"{part}\n")
        (folder / "holders").mkdir(parents=True)
        (folder / "slaves").mkdir()
        (folder / "device").mkdir()
        (folder / "size").write_text(f"{size_mebi * MEBI // 512}\n")
        (folder / "removable").write_text(f"{int(removable)}\n")
        (folder / "device/vendor").write_text("Generic\n")
        (folder / "device/model").write_text(f"{model}\n")
        path = self.folder / name
        with path.open("wb") as file:
            file.truncate(size_mebi * MEBI)
        return path

    def move_to_usb(self, name: str) -> None:
        """Make the disk a USB disk."""
        target = self.paths.sys / "devices/usb1" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        self.block(name).rename(target)
        self.block(name).symlink_to(target)

    def mount(self, device: str, mount_point: str) -> None:
        with self.paths.mounts.open("a") as file:
            file.write(f"{device} {mount_point} ext4 rw 0 0\n")


def is_empty(disk: Path) -> bool:
    """Return whether the disk contains only zeros."""
    return disk.read_bytes().count(0) == disk.stat().st_size
