"""`make bundle`: one file that installs Mask Patrol on a device without a network.

It holds the installer, the units, and for both Pythons the wheels with a requirements file that
names the digest of each. The same sources give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from wheels import MACHINES, PYTHONS, ROOT, BundleError, Pin, Target, fetch, read_lock, sha256

HERE = Path(__file__).resolve().parent
#: What the daemon's own wheel is built from.
SOURCES = ("edge", "convert", "training", "models", "pyproject.toml", "README.md", "LICENSE")
#: 1980-01-02: a zip knows no earlier year, and no file in a bundle needs a later one.
EPOCH_S = 315_619_200
SUMS, VERSION = "SHA256SUMS", "VERSION"


def version() -> str:
    """Of the checkout."""
    text = (ROOT / "edge" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'__version__ = "([^"]+)"', text)
    if found is None:
        raise BundleError("edge/__init__.py names no __version__")
    return found[1]


def build_wheel(folder: Path) -> Path:
    """The daemon's own wheel, built in `folder` from a copy of the sources: what an earlier
    build left in the checkout must not get in. Raises BundleError."""
    source = folder / "source"
    for part in SOURCES:
        if (ROOT / part).is_dir():
            shutil.copytree(
                ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            source.mkdir(exist_ok=True)
            shutil.copy(ROOT / part, source)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    result = subprocess.run(
        [*pip, "--no-deps", f"--wheel-dir={folder}", str(source)],
        env={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH_S)},
        capture_output=True,
        text=True,
        check=False,
    )
    shutil.rmtree(source)
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or ["pip failed"])[-1]
        raise BundleError(f"the daemon's wheel cannot be built: {reason}")
    (wheel,) = folder.glob("mask_patrol-*.whl")
    return wheel


def requirements(pins: Iterable[Pin], wheels: Iterable[Path], own: Path) -> str:
    """For pip: everything but pip itself, with the digest of the one wheel in the bundle."""
    lines = [f"mask-patrol=={version()} --hash=sha256:{sha256(own)}"]
    for pin, wheel in zip(pins, wheels, strict=True):
        if pin.name != "pip":
            lines.append(f"{pin.name}=={pin.version} --hash=sha256:{sha256(wheel)}")
    return "\n".join(lines) + "\n"


def lay_out(folder: Path, machine: str, pythons: Iterable[str], own: Path) -> None:
    """Everything that a bundle holds, in `folder`."""
    for python in pythons:
        target = Target(python, machine)
        say(f"Wheels for Python {python[2]}.{python[3:]} on {machine} …")
        wheels = fetch(target)
        there = folder / "wheels" / python
        there.mkdir(parents=True)
        for wheel in [*wheels, own]:
            shutil.copy(wheel, there)
        text = requirements(read_lock(target.lock), wheels, own)
        (folder / f"requirements-{python}.txt").write_text(text, encoding="utf-8")
    for name in ("units", "storage"):
        shutil.copytree(HERE / name, folder / name)
    for name in ("install.sh", "README.md"):
        shutil.copy(HERE / name, folder)
    shutil.copy(ROOT / "edge" / "config.example.toml", folder)
    shutil.copy(ROOT / "LICENSE", folder)
    (folder / "MACHINE").write_text(f"{machine}\n", encoding="ascii")
    sums = checksums(folder)
    # Two bundles of one version that differ in anything are told apart.
    build = hashlib.sha256(sums.encode()).hexdigest()[:8]
    (folder / VERSION).write_text(f"{version()}+{build}\n", encoding="ascii")
    (folder / SUMS).write_text(checksums(folder), encoding="ascii")


def checksums(folder: Path) -> str:
    """As `sha256sum --check` reads it: every file below `folder`, in order."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    return "".join(f"{sha256(path)}  {path.relative_to(folder)}\n" for path in files)


def pack(folder: Path, out: Path) -> None:
    """`folder` as an archive that holds nothing of this machine: no owner, no time. Wheels are
    compressed already. Appears whole or not at all."""
    new = out.with_name(out.name + ".new")
    with tarfile.open(new, "w", format=tarfile.USTAR_FORMAT) as archive:
        for path in [folder, *sorted(folder.rglob("*"))]:
            entry = archive.gettarinfo(path, str(path.relative_to(folder.parent)))
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            entry.mtime = EPOCH_S
            executable = path.is_dir() or path.name == "install.sh"
            entry.mode = 0o755 if executable else 0o644
            if path.is_file():
                with path.open("rb") as file:
                    archive.addfile(entry, file)
            else:
                archive.addfile(entry)
    new.replace(out)


def say(line: str) -> None:
    """Progress, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def bundle(machine: str, pythons: Iterable[str], out: Path, unpacked: bool) -> Path:
    """Make the bundle in the folder `out`, as a file or as a folder; returns its path.

    Raises BundleError.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bundle-", dir=out) as temporary:
        top = Path(temporary) / f"mask-patrol-{version()}"
        top.mkdir()
        say(f"Building mask-patrol {version()} …")
        own = build_wheel(Path(temporary))
        lay_out(top, machine, pythons, own)
        build = (top / VERSION).read_text(encoding="ascii").strip()
        if unpacked:
            path = out / "mask-patrol"
            shutil.rmtree(path, ignore_errors=True)
            top.rename(path)
            say(f"{path}: {build}")
        else:
            path = out / f"mask-patrol-{version()}-{MACHINES[machine]}.tar"
            pack(top, path)
            say(f"{path}: {build}, {path.stat().st_size / 1e6:.0f} MB")
    return path


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make bundle", description=__doc__)
    parser.add_argument(
        "--machine", choices=MACHINES, default="aarch64", help="default: %(default)s, as on a Pi"
    )
    parser.add_argument(
        "--python", choices=PYTHONS, action="append", help="only for this one (default: for all)"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder (default: dist)")
    parser.add_argument("--unpacked", action="store_true", help="a folder instead of one file")
    options = parser.parse_args()
    try:
        bundle(options.machine, options.python or PYTHONS, options.out, options.unpacked)
    except (BundleError, OSError) as error:
        sys.stderr.write(f"make bundle: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
