"""The wheels that a device needs: pinned in `systemd/lock/`, downloaded into a cache.

A lock file is a requirements file for pip. It lists `name==version` and the SHA-256 of the wheel
for each architecture; a package for one architecture alone has a marker. pip can download wheels
for an architecture other than this machine's.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bundle.errors import BundleError
from bundle.pip_environment import pip_environment

SYSTEMD = Path(__file__).resolve().parents[1]
ROOT = SYSTEMD.parent
LOCKS = SYSTEMD / "lock"
CACHE = ROOT / ".cache" / "wheels"
#: The system's Python in Raspberry Pi OS Bookworm and Trixie.
PYTHONS = ("cp311", "cp313")
#: Architectures: the name that the kernel and Python use, and the name that Debian uses.
MACHINES = {"aarch64": "arm64", "x86_64": "amd64"}
#: Minor versions of glibc 2 for which wheels are accepted. Bookworm has 2.36 and Trixie a later
#: version; wheels that were built for 2.36 or earlier run on both.
GLIBC_MINORS = range(17, 37)


@dataclass(frozen=True)
class Target:
    """A platform for wheels: `python` is, for example, `cp311`, and `machine` is `aarch64`."""

    python: str
    machine: str

    @property
    def lock(self) -> Path:
        """The lock file."""
        return LOCKS / f"{self.python}.txt"

    @property
    def folder(self) -> Path:
        """The folder of the cache that holds the wheels."""
        return CACHE / self.machine / self.python

    def pip_options(self) -> list[str]:
        """Return the options that make pip select wheels for this target."""
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
    """A package in a lock file, and the accepted digests of its wheel.

    `machine` is the only architecture that needs it, empty if all do.
    """

    name: str
    version: str
    hashes: frozenset[str]
    machine: str = ""


def read_lock(path: Path) -> list[Pin]:
    """Return the packages in a lock file; raises BundleError if a line names no version or hash."""
    text = path.read_text(encoding="utf-8")
    lines = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", text)).splitlines()
    pins = []
    for line in filter(str.strip, lines):
        match = re.fullmatch(
            r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)"
            r"""(\s*;\s*platform_machine == ["'](?P<machine>\w+)["'])?"""
            r"(?P<hashes>(\s+--hash=sha256:[0-9a-f]{64})+)",
            line.strip(),
        )
        if match is None:
            raise BundleError(
                f"{path}: this line is not name==version with a hash: {line.strip()!r};"
                " make lock writes the file again"
            )
        hashes = frozenset(re.findall(r"sha256:([0-9a-f]{64})", match["hashes"]))
        pins.append(Pin(match["name"], match["version"], hashes, match["machine"] or ""))
    return pins


def pins_for(target: Target) -> list[Pin]:
    """Return the packages in the lock file of `target` that its machine needs."""
    return [pin for pin in read_lock(target.lock) if pin.machine in ("", target.machine)]


@contextmanager
def plain_requirements(pins: Iterable[Pin]) -> Iterator[Path]:
    """Write a requirements file without markers, which pip would evaluate for this machine."""
    lines = []
    for pin in pins:
        digests = " ".join(f"--hash=sha256:{digest}" for digest in sorted(pin.hashes))
        lines.append(f"{pin.name}=={pin.version} {digests}\n")
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.writelines(lines)
        file.flush()
        yield Path(file.name)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cached_wheels(pins: Iterable[Pin], folder: Path) -> dict[Pin, Path]:
    """Return those wheels in `folder` that have an accepted digest, by package."""
    by_digest = {sha256(path): path for path in sorted(folder.glob("*.whl"))}
    wheels = {}
    for pin in pins:
        for digest in pin.hashes & by_digest.keys():
            wheels[pin] = by_digest[digest]
    return wheels


def fetch_wheels(target: Target) -> list[Path]:
    """Return the wheels of `target` in the order of its lock file, downloading those that are not
    in the cache; raises BundleError."""
    pins = pins_for(target)
    target.folder.mkdir(parents=True, exist_ok=True)
    if len(cached_wheels(pins, target.folder)) < len(pins):
        with plain_requirements(pins) as file:
            download(["--require-hashes", f"--requirement={file}"], target, target.folder)
    wheels = cached_wheels(pins, target.folder)
    if missing := [f"{pin.name} {pin.version}" for pin in pins if pin not in wheels]:
        raise BundleError(
            f"{target.lock} has no digest of the {target.machine} wheel of"
            f" {', '.join(missing)}; make lock adds it"
        )
    return [wheels[pin] for pin in pins]


def download(packages: list[str], target: Target, folder: Path) -> None:
    """Download `packages`, without their dependencies, with pip; raises BundleError.

    `packages` are arguments of `pip download`.
    """
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command = [*pip, "--no-deps", *target.pip_options(), f"--dest={folder}", *packages]
    environment = pip_environment()
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if result.returncode:
        errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR:")]
        reason = (errors or result.stderr.strip().splitlines() or ["pip failed"])[-1]
        raise BundleError(
            f"cannot download the wheels for {target.machine} and {target.python}:"
            f" {reason.removeprefix('ERROR: ')} (the first bundle needs the network; later ones"
            " use the wheels in .cache/)"
        )
