"""Root file systems of Debian for arm64, as Raspberry Pi OS is made of, and its kernels.

Built once from Debian's own packages and kept in `.cache/pi/`, by their list of packages.
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

#: What Raspberry Pi OS Lite brings, as far as it matters here.
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
    "dosfstools",  # a boot partition whose plug was pulled is checked at the next start
)


@dataclass(frozen=True)
class Release:
    """A release of Debian; `python` is the tag of its Python's wheels."""

    name: str
    python: str
    packages: tuple[str, ...]


BOOKWORM = Release("bookworm", "cp311", COMMON)
TRIXIE = Release("trixie", "cp313", (*COMMON, "cloud-init"))
RELEASES = {release.name: release for release in (BOOKWORM, TRIXIE)}


def root_tar(release: Release) -> Path:
    """The root file system of `release`; takes some minutes when it is not there yet."""
    return _built(
        f"root-{release.name}-{key(*release.packages)}.tar",
        [
            *_MMDEBSTRAP,
            "--variant=minbase",
            f"--include={','.join(release.packages)}",
            # An archive that holds no device nodes can be unpacked by anybody.
            "--customize-hook=rm -rf $1/var/cache/apt/archives/*.deb $1/usr/share/doc/*",
            release.name,
        ],
    )


def kernel_tar(release: Release) -> Path:
    """Its kernel with all modules and a static busybox, unpacked and not set up."""
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
    with alone(name):
        if not path.exists():
            _enable_emulation()
            partial = path.with_name(f"partial-{name}")
            command = [*command, str(partial), MIRROR]
            subprocess.run(["nice", "-n", "10", *command], check=True)
            partial.rename(path)
    return path


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Two that want the same file build it once."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _enable_emulation() -> None:
    """Let the kernel run arm64 programs, by qemu in user mode."""
    formats = Path("/proc/sys/fs/binfmt_misc")
    if not (formats / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(formats)], check=True)
    if not (formats / "qemu-aarch64").exists() and shutil.which("update-binfmts"):
        subprocess.run(["update-binfmts", "--enable", "qemu-aarch64"], check=True)


def key(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def main() -> None:
    """Build everything that is missing."""
    for release in RELEASES.values():
        root_tar(release)
        kernel_tar(release)


if __name__ == "__main__":
    main()
