"""Terminal output of `mask-patrol run`: alerts, one status line, and the table of stages."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from typing import TextIO

from edge.common.stage_times import Quantiles

CLEAR_LINE = "\r\x1b[K"

#: Description of each stage, for the table.
STAGES = {
    "detect": "find faces",
    "classify": "mask or not (TFLite)",
    "track": "match faces to people, update alerts",
    "commit": "event written to disk",
    "deliver": "from disk to the broker's acknowledgement",
    "alert": "from the frame's capture to the acknowledgement",
    "frame": "whole frame",
}


class Terminal:
    """Permanent lines above one status line that is overwritten; thread-safe."""

    def __init__(self, out: TextIO | None = None) -> None:
        """The status line is shown only if `out` (default: standard output) is a terminal."""
        self._out = out or sys.stdout
        self._lock = threading.Lock()
        self._status = ""

    def show(self, line: str) -> None:
        """Write a permanent `line`."""
        with self._lock:
            cleared = CLEAR_LINE if self._status else ""
            self._out.write(f"{cleared}{line}\n{self._status}")
            self._out.flush()

    def status(self, text: str) -> None:
        """Replace the status line; an empty text removes it."""
        if not self._out.isatty():
            return
        with self._lock:
            self._out.write(f"{CLEAR_LINE}{text}" if text or self._status else "")
            self._status = text
            self._out.flush()


def stage_table(quantiles: Mapping[str, Quantiles]) -> list[str]:
    """Return a heading and one line per stage: median, 95th percentile, number of passes."""
    lines = [f"{'stage':<10}{'median':>10}{'p95':>10}{'runs':>8}"]
    for stage, q in quantiles.items():
        lines.append(
            f"{stage:<10}{q.p50_ms:>7.2f} ms{q.p95_ms:>7.2f} ms{q.count:>8}   "
            f"{STAGES.get(stage, '')}".rstrip()
        )
    return lines
