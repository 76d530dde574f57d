"""What `mask-patrol run` shows at a terminal: alerts, one status line, a closing summary."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from typing import TextIO

from edge.common.stage_times import Quantiles

CLEAR_LINE = "\r\x1b[K"

#: What each stage does, for the closing table.
STAGES = {
    "detect": "find faces (Haar)",
    "classify": "mask or not (TFLite)",
    "track": "who is who, what changed",
    "commit": "event safely on disk",
    "deliver": "on disk to broker's acknowledgement",
    "alert": "the same from the frame's capture",
    "frame": "whole frame",
}


class Terminal:
    """Lines that stay, above one status line that is rewritten; from any thread."""

    def __init__(self, out: TextIO | None = None) -> None:
        """The status line appears only where `out` (default: stdout) is a terminal."""
        self._out = out or sys.stdout
        self._lock = threading.Lock()
        self._status = ""

    def show(self, line: str) -> None:
        """Write `line` for good."""
        with self._lock:
            cleared = CLEAR_LINE if self._status else ""
            self._out.write(f"{cleared}{line}\n{self._status}")
            self._out.flush()

    def status(self, text: str) -> None:
        """Replace the status line; empty takes it away."""
        if not self._out.isatty():
            return
        with self._lock:
            self._out.write(f"{CLEAR_LINE}{text}" if text or self._status else "")
            self._status = text
            self._out.flush()


def stage_table(quantiles: Mapping[str, Quantiles]) -> list[str]:
    """A line per stage: median, 95th percentile, how often it ran."""
    lines = [f"{'stage':<10}{'median':>10}{'95%':>10}{'times':>8}"]
    for stage, q in quantiles.items():
        lines.append(
            f"{stage:<10}{q.p50_ms:>7.2f} ms{q.p95_ms:>7.2f} ms{q.count:>8}   "
            f"{STAGES.get(stage, '')}".rstrip()
        )
    return lines
