"""Build a bundle: the installer, the units, and the wheels for each Python.

A requirements file names the SHA-256 of each wheel. The same sources always give a bundle with the
same bytes.
"""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from bundle.errors import BundleError
from bundle.pip_environment import pip_environment
from bundle.wheel_file import normalise_wheel
from bundle.wheels import MACHINES, ROOT, SYSTEMD, Pin, Target, fetch_wheels, pins_for, sha256

#: Files and folders from which the wheel of Mask Patrol is built.
SOURCES = ("edge", "convert", "training", "models", "pyproject.toml", "README.md", "LICENSE")
#: 1980-01-02, the timestamp of every file in a bundle that `make bundle` makes, so that the same
#: sources give the same bytes, committed or not. Zip files cannot hold dates before 1980.
EPOCH_S = 315_619_200
SUMS, VERSION, SIGNATURE_SUFFIX = "SHA256SUMS", "VERSION", ".sig"


def make_bundle(machine: str, pythons: Iterable[str], out: Path, unpacked: bool) -> Path:
    """Make the bundle in the folder `out`, as a tar archive or as a folder; return its path.

    Raises BundleError.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bundle-", dir=out) as temporary:
        top = Path(temporary) / f"mask-patrol-{project_version()}"
        top.mkdir()
        print_progress(f"Building mask-patrol {project_version()} …")
        own_wheel = build_wheel(Path(temporary))
        fill_folder(top, machine, pythons, own_wheel)
        version = (top / VERSION).read_text(encoding="ascii").strip()
        if unpacked:
            path = out / "mask-patrol"
            shutil.rmtree(path, ignore_errors=True)
            top.rename(path)
            print_progress(f"{path}: {version}")
        else:
            path = out / f"mask-patrol-{project_version()}-{MACHINES[machine]}.tar"
            pack(top, path)
            print_progress(f"{path}: {version}, {path.stat().st_size / 1e6:.0f} MB")
    return path


def project_version() -> str:
    """Return the `__version__` of the checkout; raises BundleError if there is none."""
    text = (ROOT / "edge" / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'__version__ = "([^"]+)"', text)
    if match is None:
        raise BundleError("edge/__init__.py defines no __version__")
    return match[1]


def build_wheel(folder: Path, epoch_s: int = EPOCH_S) -> Path:
    """Build the wheel of Mask Patrol in `folder`; return its path. Raises BundleError.

    `epoch_s` is the timestamp of each file in the wheel, in seconds since 1970.

    The wheel is built from a copy of the sources, so that files that an earlier build left in the
    checkout are not packed.
    """
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
        env={**pip_environment(), "SOURCE_DATE_EPOCH": str(epoch_s)},
        capture_output=True,
        text=True,
        check=False,
    )
    shutil.rmtree(source)
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or ["pip failed"])[-1]
        raise BundleError(f"cannot build the wheel of mask-patrol: {reason}")
    (wheel,) = folder.glob("mask_patrol-*.whl")
    normalise_wheel(wheel, epoch_s)
    return wheel


def fill_folder(folder: Path, machine: str, pythons: Iterable[str], own_wheel: Path) -> None:
    """Put everything that a bundle contains into `folder`. Raises BundleError."""
    for python in pythons:
        target = Target(python, machine)
        print_progress(f"Wheels for Python {python[2]}.{python[3:]} on {machine} …")
        wheels = fetch_wheels(target)
        wheel_folder = folder / "wheels" / python
        wheel_folder.mkdir(parents=True)
        for wheel in [*wheels, own_wheel]:
            shutil.copy(wheel, wheel_folder)
        text = requirements(pins_for(target), wheels, own_wheel)
        (folder / f"requirements-{python}.txt").write_text(text, encoding="utf-8", newline="\n")
    for name in ("units", "storage"):
        shutil.copytree(SYSTEMD / name, folder / name)
    for name in ("install.sh", "questions.sh", "README.md"):
        shutil.copy(SYSTEMD / name, folder)
    shutil.copy(ROOT / "edge" / "config.example.toml", folder)
    shutil.copy(ROOT / "LICENSE", folder)
    (folder / "MACHINE").write_text(f"{machine}\n", encoding="ascii", newline="\n")
    # The version ends with a digest of all files, so that two bundles that differ in any file
    # have different versions.
    build = hashlib.sha256(checksums(folder).encode()).hexdigest()[:8]
    (folder / VERSION).write_text(f"{project_version()}+{build}\n", encoding="ascii", newline="\n")
    (folder / SUMS).write_text(checksums(folder), encoding="ascii", newline="\n")


def requirements(pins: Iterable[Pin], wheels: Iterable[Path], own_wheel: Path) -> str:
    """Return the requirements file for pip: each package except pip itself, with the digest of
    its wheel in the bundle."""
    lines = [f"mask-patrol=={project_version()} --hash=sha256:{sha256(own_wheel)}"]
    for pin, wheel in zip(pins, wheels, strict=True):
        if pin.name != "pip":
            lines.append(f"{pin.name}=={pin.version} --hash=sha256:{sha256(wheel)}")
    return "\n".join(lines) + "\n"


def checksums(folder: Path) -> str:
    """Return the SHA-256 of every file below `folder`, sorted, as `sha256sum --check` reads it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    return "".join(f"{sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files)


def pack(folder: Path, out: Path, epoch_s: int = EPOCH_S, signature: bytes | None = None) -> None:
    """Pack `folder` into the tar archive `out`, without owners and times of this machine.

    `epoch_s` is the timestamp of each file, in seconds since 1970. `signature` is that of
    SHA256SUMS; it is packed beside the folder, where its users find it.

    The archive is not compressed, because wheels are already compressed. It is written to a
    temporary file and renamed, so `out` is always complete.
    """
    new = out.with_name(out.name + ".new")
    # GNU's format, because names of wheels can exceed the 100 bytes of USTAR.
    with tarfile.open(new, "w", format=tarfile.GNU_FORMAT) as archive:
        for path in [folder, *sorted(folder.rglob("*"))]:
            entry = archive.gettarinfo(path, path.relative_to(folder.parent).as_posix())
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            entry.mtime = epoch_s
            executable = path.is_dir() or path.name == "install.sh"
            entry.mode = 0o755 if executable else 0o644
            if path.is_file():
                with path.open("rb") as file:
                    archive.addfile(entry, file)
            else:
                archive.addfile(entry)
        if signature is not None:
            entry = tarfile.TarInfo(f"{folder.name}{SIGNATURE_SUFFIX}")
            entry.uname = entry.gname = "root"
            entry.mtime = epoch_s
            entry.size = len(signature)
            archive.addfile(entry, io.BytesIO(signature))
    new.replace(out)


def print_progress(line: str) -> None:
    """Print a line of progress without buffering."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
