"""Real disks that fail: mounted read-only, or full."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Make `folder` read-only inside the context.

    For root the folder is mounted read-only, because file permissions do not apply to root. For
    other users the permissions of the folder are changed.
    """
    if os.geteuid() != 0:
        with _unwritable(folder):
            yield
        return
    mount = f"mount --bind '{folder}' '{folder}' && mount -o remount,bind,ro '{folder}'"
    if subprocess.run(mount, shell=True, check=False, capture_output=True).returncode:
        pytest.skip("root may not mount here, and file permissions do not apply to root")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@contextmanager
def _unwritable(folder: Path) -> Iterator[None]:
    for path in [*folder.iterdir(), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield
    finally:
        for path in [folder, *folder.iterdir()]:
            path.chmod(0o755 if path.is_dir() else 0o644)


@contextmanager
def tiny(folder: Path, kilobytes: int) -> Iterator[None]:
    """Mount a file system of this size at `folder` inside the context."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a disk of a given size needs root: run the tests as root")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def fill_disk(folder: Path) -> Path:
    """Write a file that uses all free space of the file system of `folder`; return its path."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 1024)
    return ballast


def limit_file_size(number_of_bytes: int) -> None:
    """Limit the size of the files that a process writes; meant for the argument `preexec_fn`.

    Setting the limit needs no privilege.
    """
    resource.setrlimit(resource.RLIMIT_FSIZE, (number_of_bytes, number_of_bytes))


def failing_writes(folder: Path, paths: Path, trigger: Path) -> dict[str, str]:
    """Return the environment of a process whose writes to `paths*` fail while `trigger` exists.

    See `failing_writes.c`, which is compiled to a library in `folder`.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("making the writes of a process fail needs a C compiler")
    library = folder / "failing_writes.so"
    if not library.exists():
        source = Path(__file__).with_name("failing_writes.c")
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True
        )
    return {
        **os.environ,
        "LD_PRELOAD": str(library),
        "FAIL_PATHS": str(paths),
        "FAIL_WHILE": str(trigger),
    }
