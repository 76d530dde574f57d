"""Root file systems of Debian for arm64, on which Raspberry Pi OS is based, and kernels.

They are built once from Debian's packages and kept in `.cache/pi/`, with a digest of the package
list in their names.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(os.environ.get("MASK_PATROL_PI_CACHE", Path(__file__).parents[2] / ".cache" / "pi"))
MIRROR = "http://deb.debian.org/debian"

#: Packages of Raspberry Pi OS Lite that matter here.
COMMON = (
    "python3",
    "python3-venv",
    "systemd",
    "systemd-sysv",
    "udev",
    "dbus",
    "kmod",
    "iproute2",
    "libgomp1",
    "adduser",
    "sudo",
    "openssh-server",
    "network-manager",
    "avahi-daemon",  # answers for NAME.local
    "dosfstools",  # for fsck of the boot partition after a power cut
)


@dataclass(frozen=True)
class Release:
    """A release of Debian; `python` is the wheel tag of its Python."""

    name: str
    python: str
    packages: tuple[str, ...]


BOOKWORM = Release("bookworm", "cp311", COMMON)
TRIXIE = Release("trixie", "cp313", (*COMMON, "cloud-init"))
RELEASES = {release.name: release for release in (BOOKWORM, TRIXIE)}


def root_tar(release: Release) -> Path:
    """Return the archive of the root file system of `release`; building it takes minutes."""
    return _built(
        f"root-{release.name}-{key(*release.packages)}.tar",
        [
            *_MMDEBSTRAP,
            "--variant=minbase",
            f"--include={','.join(release.packages)}",
            "--customize-hook=rm -rf $1/var/cache/apt/archives/*.deb $1/usr/share/doc/*",
            release.name,
        ],
    )


def python_tar(release: Release) -> Path:
    """Return the archive of the Python of `release` with its libraries, for qemu in user mode.

    No package is configured, so nothing is emulated: building it takes seconds.
    """
    packages = ("base-files", "python3", "libgomp1", "libstdc++6")
    return _built(
        f"python-{release.name}-{key(*packages)}.tar",
        [*_MMDEBSTRAP, "--variant=extract", f"--include={','.join(packages)}", release.name],
    )


def kernel_tar(release: Release) -> Path:
    """Return the archive of the kernel of `release` with all modules, and a static busybox."""
    packages = ("linux-image-arm64", "busybox-static")
    return _built(
        f"kernel-{release.name}-{key(*packages)}.tar",
        [
            *_MMDEBSTRAP,
            "--variant=extract",
            f"--include={','.join(packages)}",
            "--customize-hook=find $1 -mindepth 1 -maxdepth 1"
            " ! -name boot ! -name usr ! -name lib ! -name bin -exec rm -rf {} +",
            "--customize-hook=find $1/usr -mindepth 1 -maxdepth 1"
            " ! -name lib ! -name bin -exec rm -rf {} +",
            release.name,
        ],
    )


_MMDEBSTRAP = (
    "mmdebstrap",
    "--architectures=arm64",
    '--aptopt=Acquire::Languages "none"',
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--skip=output/dev",
)


def _built(name: str, command: list[str]) -> Path:
    path = CACHE / name
    with build_lock(name):
        if not path.exists():
            _enable_emulation()
            partial = path.with_name(f"partial-{name}")
            command = [*command, str(partial), MIRROR]
            subprocess.run(["nice", "-n", "10", *command], check=True)
            partial.rename(path)
    return path


@contextmanager
def build_lock(name: str) -> Iterator[None]:
    """Hold the lock for building a file, so that concurrent tests build it only once."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _enable_emulation() -> None:
    """Make the kernel run arm64 programs with qemu in user mode."""
    formats = Path("/proc/sys/fs/binfmt_misc")
    if not (formats / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(formats)], check=True)
    if not (formats / "qemu-aarch64").exists() and shutil.which("update-binfmts"):
        subprocess.run(["update-binfmts", "--enable", "qemu-aarch64"], check=True)


def key(*parts: str) -> str:
    """Return a short digest of `parts`, for file names in the cache."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def main() -> None:
    """Build all archives that are missing."""
    for release in RELEASES.values():
        root_tar(release)
        python_tar(release)
        kernel_tar(release)


if __name__ == "__main__":
    main()
