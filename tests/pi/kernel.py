"""The kernel of the emulated machine, and the modules that it needs."""

from __future__ import annotations

import gzip
import io
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.pi.roots import CACHE, Release, build_lock, kernel_tar, key

#: Modules for the disk, the network, the serial port, the boot partition, and the virtual camera.
WANTED = (
    "nvme", "ext4", "virtio_pci", "virtio_net", "virtio_console", "vfat", "nls_cp437",
    "nls_ascii", "nls_iso8859-1", "nls_utf8", "vivid", "overlay", "rfkill", "cfg80211",
    "mac80211_hwsim", "af_packet",
)  # fmt: skip
#: Modules that are needed to mount the root; they are in the initramfs.
EARLY = ("nvme", "ext4", "crc32c-generic", "crc32c", "crc32c_generic", "libcrc32c")
#: File names of kernel modules, which may be compressed.
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
    """The kernel and the initramfs for qemu, and the content of /usr/lib/modules."""

    image: Path
    initramfs: Path
    modules: Path


def kernel(release: Release) -> Kernel:
    """Return the kernel of `release`, which is unpacked once."""
    source = kernel_tar(release)
    folder = CACHE / f"kernel-{release.name}-{key(source.name, Path(__file__).read_text())}"
    with build_lock(folder.name):
        if not folder.exists():
            partial = folder.with_name(f"partial-{folder.name}")
            shutil.rmtree(partial, ignore_errors=True)
            _unpack(source, partial)
            partial.rename(folder)
    return Kernel(folder / "vmlinuz", folder / "initramfs.gz", folder / "modules")


def _unpack(source: Path, folder: Path) -> None:
    package = folder / "package"
    package.mkdir(parents=True)
    subprocess.run(["tar", "-xf", source, "-C", package], check=True)
    shutil.copyfile(next((package / "boot").glob("vmlinuz-*")), folder / "vmlinuz")
    base = next(
        path for path in (package / "usr/lib/modules", package / "lib/modules") if path.is_dir()
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
    # depmod expects the modules in lib/modules.
    root = folder / "depmod"
    (root / "lib").mkdir(parents=True)
    (root / "lib/modules").symlink_to(folder.resolve() / "modules")
    subprocess.run(["depmod", "-b", root, tree.name], check=True)
    shutil.rmtree(root)
    early = _with_dependencies(tree, EARLY)
    busybox = next(
        path for path in (package / "bin/busybox", package / "usr/bin/busybox") if path.exists()
    )
    _write_initramfs(folder / "initramfs.gz", busybox, [tree / path for path in early])
    shutil.rmtree(package)


def _with_dependencies(tree: Path, names: Iterable[str]) -> list[str]:
    """Return the paths below `tree` of modules and their dependencies, in loading order."""
    if not (tree / "modules.dep").exists():
        _depmod(tree)
    needs = {}
    for line in (tree / "modules.dep").read_text().splitlines():
        path, _, others = line.partition(":")
        needs[path] = others.split()
    by_name = {Path(path).name.split(".")[0].replace("-", "_"): path for path in needs}
    order: list[str] = []
    for name in names:
        if path := by_name.get(name.replace("-", "_")):  # otherwise it is built into the kernel
            for module in (*reversed(needs[path]), path):
                if module not in order:
                    order.append(module)
    return order


def _depmod(tree: Path) -> None:
    root = tree.parents[2] if tree.parents[1].name == "lib" else tree.parents[1]
    if tree.parents[2].name == "usr":
        root = tree.parents[2]
    subprocess.run(["depmod", "-b", root, tree.name], check=True)


def _write_initramfs(path: Path, busybox: Path, modules: list[Path]) -> None:
    """Write a cpio archive in the format `newc`, which the kernel needs."""
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
