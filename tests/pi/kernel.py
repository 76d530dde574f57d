"""The kernel that the emulated machine starts, and the few modules that it needs."""

from __future__ import annotations

import gzip
import io
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.pi.roots import CACHE, Release, alone, kernel_tar, key

#: Disk, network, our serial port, the boot partition, and the camera that is none.
WANTED = (
    "nvme", "ext4", "virtio_pci", "virtio_net", "virtio_console", "vfat", "nls_cp437",
    "nls_ascii", "nls_iso8859-1", "nls_utf8", "vivid", "overlay", "rfkill", "cfg80211",
    "mac80211_hwsim", "af_packet",
)  # fmt: skip
#: What must be there before the root is: in the initramfs.
EARLY = ("nvme", "ext4", "crc32c-generic", "crc32c", "crc32c_generic", "libcrc32c")
#: Kernel's modules come packed or plain.
SUFFIXES = (".ko", ".ko.xz", ".ko.zst")
INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
for module in $(/bin/busybox cat /modules/order); do /bin/busybox insmod /modules/$module; done
until [ -b /dev/nvme0n1p2 ]; do /bin/busybox usleep 50000; done
/bin/busybox mount -t ext4 -o ro /dev/nvme0n1p2 /root
/bin/busybox mount --move /dev /root/dev
init=/sbin/init
for word in $(/bin/busybox cat /proc/cmdline); do
    case $word in init=*) init=${word#init=} ;; esac
done
/bin/busybox umount /proc /sys
exec /bin/busybox switch_root /root $init
"""


@dataclass(frozen=True)
class Kernel:
    """What qemu starts, and the modules for the tree: a folder to lie at /usr/lib/modules."""

    image: Path
    initramfs: Path
    modules: Path


def kernel(release: Release) -> Kernel:
    """Unpacked once from the release's package."""
    source = kernel_tar(release)
    folder = CACHE / f"kernel-{release.name}-{key(source.name, Path(__file__).read_text())}"
    with alone(folder.name):
        if not folder.exists():
            partial = folder.with_name(f"partial-{folder.name}")
            shutil.rmtree(partial, ignore_errors=True)
            _unpack(source, partial)
            partial.rename(folder)
    return Kernel(folder / "vmlinuz", folder / "initramfs.gz", folder / "modules")


def _unpack(source: Path, folder: Path) -> None:
    whole = folder / "whole"
    whole.mkdir(parents=True)
    subprocess.run(["tar", "-xf", source, "-C", whole], check=True)
    shutil.copyfile(next((whole / "boot").glob("vmlinuz-*")), folder / "vmlinuz")
    base = next(
        path for path in (whole / "usr/lib/modules", whole / "lib/modules") if path.is_dir()
    )
    tree = next(base.iterdir())
    order = _with_dependencies(tree, WANTED)
    kept = folder / "modules" / tree.name
    kept.mkdir(parents=True)
    for path in order:
        (kept / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tree / path, kept / path)
    for path in tree.glob("modules.*"):
        if path.name in {"modules.builtin", "modules.builtin.modinfo", "modules.order"}:
            shutil.copyfile(path, kept / path.name)
    # depmod looks below lib/modules.
    root = folder / "depmod"
    (root / "lib").mkdir(parents=True)
    (root / "lib/modules").symlink_to(folder.resolve() / "modules")
    subprocess.run(["depmod", "-b", root, tree.name], check=True)
    shutil.rmtree(root)
    early = _with_dependencies(tree, EARLY)
    busybox = next(
        path for path in (whole / "bin/busybox", whole / "usr/bin/busybox") if path.exists()
    )
    _write_initramfs(folder / "initramfs.gz", busybox, [tree / path for path in early])
    shutil.rmtree(whole)


def _with_dependencies(tree: Path, names: Iterable[str]) -> list[str]:
    """The paths below `tree` of modules and what they need, in the order of loading."""
    if not (tree / "modules.dep").exists():
        _depmod(tree)
    needs = {}
    for line in (tree / "modules.dep").read_text().splitlines():
        path, _, others = line.partition(":")
        needs[path] = others.split()
    by_name = {Path(path).name.split(".")[0].replace("-", "_"): path for path in needs}
    order: list[str] = []
    for name in names:
        if path := by_name.get(name.replace("-", "_")):  # else it is built in
            for one in (*reversed(needs[path]), path):
                if one not in order:
                    order.append(one)
    return order


def _depmod(tree: Path) -> None:
    root = tree.parents[2] if tree.parents[1].name == "lib" else tree.parents[1]
    if tree.parents[2].name == "usr":
        root = tree.parents[2]
    subprocess.run(["depmod", "-b", root, tree.name], check=True)


def _write_initramfs(path: Path, busybox: Path, modules: list[Path]) -> None:
    """A cpio archive in the kernel's own format, `newc`."""
    archive = io.BytesIO()
    for folder in ("bin", "proc", "sys", "dev", "root", "modules"):
        _add(archive, folder, b"", 0o040755)
    _add(archive, "init", INIT.encode(), 0o100755)
    _add(archive, "bin/busybox", busybox.read_bytes(), 0o100755)
    names = []
    for module in modules:
        content = module.read_bytes()
        if module.suffix == ".xz":
            content = subprocess.run(["xz", "-dc", module], check=True, capture_output=True).stdout
        elif module.suffix == ".zst":
            content = subprocess.run(
                ["zstd", "-dc", module], check=True, capture_output=True
            ).stdout
        names.append(module.name.split(".ko")[0] + ".ko")
        _add(archive, f"modules/{names[-1]}", content, 0o100644)
    _add(archive, "modules/order", "\n".join(names).encode(), 0o100644)
    _add(archive, "TRAILER!!!", b"", 0)
    path.write_bytes(gzip.compress(archive.getvalue(), 6))


def _add(archive: io.BytesIO, name: str, content: bytes, mode: int) -> None:
    fields = (archive.tell() + 1, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    archive.write(b"070701" + b"".join(b"%08x" % field for field in fields))
    archive.write(name.encode() + b"\0")
    archive.write(b"\0" * (-archive.tell() % 4))
    archive.write(content)
    archive.write(b"\0" * (-archive.tell() % 4))
