"""Disks that fail, for real: mounted read-only, or with no room left."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """`folder` read-only: by its permissions, or for root, whom these do not hold back, on a
    file system mounted so."""
    if os.geteuid() != 0:
        with _unwritable(folder):
            yield
        return
    mount = f"mount --bind '{folder}' '{folder}' && mount -o remount,bind,ro '{folder}'"
    if subprocess.run(mount, shell=True, check=False, capture_output=True).returncode:
        pytest.skip("not even root may mount here: permissions do not hold root back")
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
    """`folder` as a file system of its own with so much room."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a disk of a given size needs the right to mount: run the tests as root")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def no_file_grows_beyond(number_of_bytes: int) -> None:
    """For `preexec_fn`: what a process may write, without any privilege to mount."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (number_of_bytes, number_of_bytes))
