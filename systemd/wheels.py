"""The wheels that a device needs, pinned and hashed in `lock/`, in a cache.

A lock file is a requirements file for pip: `name==version` and the SHA-256 of its wheel for
each architecture. pip picks the wheel for a machine that is not this one.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS = Path(__file__).resolve().parent / "lock"
CACHE = ROOT / ".cache" / "wheels"
#: Python of Raspberry Pi OS Bookworm and Trixie.
PYTHONS = ("cp311", "cp313")
#: As the kernel and Python call a machine, and as Debian does.
MACHINES = {"aarch64": "arm64", "x86_64": "amd64"}
#: Bookworm has glibc 2.36: whatever was built against up to that runs on both.
GLIBC_MINORS = range(17, 37)


class BundleError(Exception):
    """What keeps a bundle from being made; one line, with what to do."""


@dataclass(frozen=True)
class Target:
    """A machine that wheels are for: `python` as in `cp311`, `machine` as in `aarch64`."""

    python: str
    machine: str

    @property
    def lock(self) -> Path:
        """Its pins."""
        return LOCKS / f"{self.python}.txt"

    @property
    def folder(self) -> Path:
        """Its wheels."""
        return CACHE / self.machine / self.python

    def pip_options(self) -> list[str]:
        """What makes pip choose for this machine instead of the one that it runs on."""
        platforms = [f"manylinux_2_{minor}_{self.machine}" for minor in reversed(GLIBC_MINORS)]
        platforms.append(f"manylinux2014_{self.machine}")
        return [
            "--implementation=cp",
            f"--python-version={self.python.removeprefix('cp')}",
            "--only-binary=:all:",
            *(f"--platform={platform}" for platform in platforms),
        ]


@dataclass(frozen=True)
class Pin:
    """One package of a lock file, and the digests that its wheel may have."""

    name: str
    version: str
    hashes: frozenset[str]


def read_lock(path: Path) -> list[Pin]:
    """The pins of a lock file; raises BundleError for a line that is none."""
    text = path.read_text(encoding="utf-8")
    lines = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", text)).splitlines()
    pins = []
    for line in filter(str.strip, lines):
        found = re.fullmatch(
            r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)(?P<hashes>(\s+--hash=sha256:[0-9a-f]{64})+)",
            line.strip(),
        )
        if found is None:
            raise BundleError(f"{path} holds what is no pin: {line.strip()!r}; make lock renews it")
        hashes = frozenset(re.findall(r"sha256:([0-9a-f]{64})", found["hashes"]))
        pins.append(Pin(found["name"], found["version"], hashes))
    return pins


def sha256(path: Path) -> str:
    """Digest of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cached(pins: Iterable[Pin], folder: Path) -> dict[Pin, Path]:
    """Those pins whose wheel lies in `folder` and is what the lock says."""
    by_digest = {sha256(path): path for path in sorted(folder.glob("*.whl"))}
    found = {}
    for pin in pins:
        for digest in pin.hashes & by_digest.keys():
            found[pin] = by_digest[digest]
    return found


def fetch(target: Target) -> list[Path]:
    """The wheels of `target`, from the cache or the package index; raises BundleError."""
    pins = read_lock(target.lock)
    target.folder.mkdir(parents=True, exist_ok=True)
    if len(cached(pins, target.folder)) < len(pins):
        download(["--require-hashes", f"--requirement={target.lock}"], target, target.folder)
    found = cached(pins, target.folder)
    if missing := [f"{pin.name} {pin.version}" for pin in pins if pin not in found]:
        raise BundleError(
            f"{target.lock} has no digest of the wheel for {target.machine} of"
            f" {', '.join(missing)}; make lock renews it"
        )
    return [found[pin] for pin in pins]


def download(what: list[str], target: Target, folder: Path) -> None:
    """Let pip fetch `what`, without what it depends on; raises BundleError."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command = [*pip, "--no-deps", *target.pip_options(), f"--dest={folder}", *what]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR:")]
        reason = (errors or result.stderr.strip().splitlines() or ["pip failed"])[-1]
        raise BundleError(
            f"no wheels for {target.machine} and {target.python}: {reason.removeprefix('ERROR: ')}"
            " (the first bundle needs the network; later ones are made from .cache/)"
        )
