"""A memory limit for processes, as systemd sets it for a unit with `MemoryMax`."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.cli_process import ROOT

CGROUPS = Path("/sys/fs/cgroup")
UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


def memory_max(unit: str) -> int:
    """Return `MemoryMax` of a file in `systemd/units`, in bytes."""
    text = (ROOT / "systemd" / "units" / unit).read_text()
    found = re.search(r"^MemoryMax=(\d+)([KMG])$", text, re.MULTILINE)
    assert found is not None
    return int(found[1]) * UNITS[found[2]]


@contextmanager
def memory_limit(max_bytes: int) -> Iterator[Callable[[], None] | None]:
    """Yield a function that puts the process that calls it into a control group with this limit.

    Yield None if this machine does not allow that (it needs root). The kernel kills a process that
    exceeds the limit. The processes must have ended when the context ends.
    """
    group = _create_group()
    if group is None:
        yield None
        return
    limit = group / "memory.max"
    (limit if limit.exists() else group / "memory.limit_in_bytes").write_text(str(max_bytes))
    yield lambda: _enter(group)
    group.rmdir()


def _create_group() -> Path | None:
    name = f"mask-patrol-test-{secrets.token_hex(4)}"
    for parent in (CGROUPS / "memory", CGROUPS):  # version 1, version 2
        group = parent / name
        try:
            group.mkdir()
        except OSError:
            continue
        if any((group / file).exists() for file in ("memory.max", "memory.limit_in_bytes")):
            return group
        group.rmdir()
    return None


def _enter(group: Path) -> None:
    (group / "cgroup.procs").write_text(str(os.getpid()))
