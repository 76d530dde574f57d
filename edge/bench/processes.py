"""Processes of our own program that the bench starts, and the memory that they take."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from types import TracebackType

from edge.common.paths import PACKAGE

PROC = Path("/proc")
#: Between two looks at a process's memory: its peak only grows, so little is missed.
LOOK_EVERY_S = 0.05


def our_command(module: str, *arguments: str) -> list[str]:
    """The command of `module` of this program, in the Python that runs now."""
    # -P and `our_environment`: our own package is found, and nothing in the user's folder is.
    return [sys.executable, "-P", "-m", module, *arguments]


def our_environment(**more: str) -> dict[str, str]:
    """This process's environment, in which our package is found, and `more`."""
    given = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(PACKAGE.parent), *([given] if given else [])])
    return {**os.environ, "PYTHONPATH": path, **more}


def peak_mb(process: int | str = "self") -> float | None:
    """The most memory that a process (by its id) ever held, in MiB; None where it is gone or
    the system does not tell.

    Not `getrusage`: there a process begins with what its parent held.
    """
    try:
        status = (PROC / str(process) / "status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024.0
    return None


class PeakMemory:
    """Watches a process as long as `with` lasts; `mb` is the most that was seen, in MiB."""

    def __init__(self, process: int) -> None:
        """`process` by its id."""
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
            if self._over.wait(LOOK_EVERY_S):
                return
