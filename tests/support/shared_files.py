"""Files that are made once in a test session, for all processes of pytest-xdist.

A fixture of the scope `session` is made anew by each process that needs it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return the folder `name`, which the first caller fills by `make`; others wait for it.

    Tests must not change the files. If `make` fails, the next caller tries it again.
    """
    folder = _of_all_processes(factory) / name
    made = folder.with_name(f"{name}.made")
    with folder.with_name(f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            made.touch()
    return folder


def _of_all_processes(factory: pytest.TempPathFactory) -> Path:
    """Return a folder of this test session, which has a folder for each process."""
    own = factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    folder.mkdir(exist_ok=True)
    return folder
