"""Starts processes of this program, and measures their memory and processor time."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from types import TracebackType

from edge.common.paths import PACKAGE

PROC = Path("/proc")
#: Interval between two readings of a process's memory. The value is a peak
#: and never shrinks, so only growth after the last reading is missed.
POLL_S = 0.05


def our_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs `module` of this program with the present Python."""
    # With -P and `our_environment` Python finds this package, but no module in the current folder.
    return [sys.executable, "-P", "-m", module, *arguments]


def our_environment(**more: str) -> dict[str, str]:
    """Return this process's environment with this package on PYTHONPATH, plus `more`."""
    given = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(PACKAGE.parent), *([given] if given else [])])
    return {**os.environ, "PYTHONPATH": path, **more}


def peak_mb(process: int | str = "self") -> float | None:
    """Return the peak memory of a process (by its id) in MiB.

    None when the process has ended or the system does not report it. `getrusage` is not used,
    because its peak starts with the memory of the parent process.
    """
    try:
        status = (PROC / str(process) / "status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024.0
    return None


def proportional_mb(process: int) -> float | None:
    """Return the present memory of a process in MiB; it has a share of pages that others use, too.

    None when the process has ended or the system does not report it.
    """
    try:
        text = (PROC / str(process) / "smaps_rollup").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    sizes = (int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return next((size / 1024.0 for size in sizes), None)


def cpu_s(process: int) -> float:
    """Return the processor time of a process so far, in seconds; 0 when it has ended."""
    try:
        text = (PROC / str(process) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0.0
    # Behind the name, which may contain blanks and brackets: user and system time are the fields 14
    # and 15 of proc(5).
    user, system = text.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


class PeakMemory:
    """Polls the memory of a process while `with` lasts; `mb` is the peak in MiB."""

    def __init__(self, process: int) -> None:
        """`process` is the id of the process."""
        self._process = process
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak-memory", daemon=True)
        self.mb: float | None = None

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            found = peak_mb(self._process)
            if found is not None:
                self.mb = max(found, self.mb or 0.0)
            if self._over.wait(POLL_S):
                return
