"""Disks that fail, for real: mounted read-only, or with no room left."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """`folder` on a file system mounted read-only (permissions would not hold root back)."""
    mount = f"mount --bind '{folder}' '{folder}' && mount -o remount,bind,ro '{folder}'"
    if subprocess.run(mount, shell=True, check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@contextmanager
def tiny(folder: Path, kilobytes: int) -> Iterator[None]:
    """`folder` as a file system of its own with so much room."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def no_file_grows_beyond(number_of_bytes: int) -> None:
    """For `preexec_fn`: what a process may write, without any privilege to mount."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (number_of_bytes, number_of_bytes))
