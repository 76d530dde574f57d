"""What is written to the card, which bears only so much: by this process, and by everything."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

OWN_COUNTS = Path("/proc/self/io")
BLOCK_DEVICES = Path("/sys/dev/block")
#: The unit of `stat` of a block device, whatever its own sectors are (kernel, block/stat.rst).
SECTOR_BYTES = 512
SECTORS_WRITTEN = 6
DAY_S, HOUR_S = 86_400.0, 3600.0
#: A day's worth of marks, one in ten minutes.
MARK_EVERY_S = 600.0


def own_bytes(file: Path = OWN_COUNTS) -> int | None:
    """Bytes that this process has caused to be written to disks; None where the kernel does not
    count. What goes to memory only (/run, /tmp on many systems) is none of them."""
    try:
        lines = file.read_text(encoding="ascii").splitlines()
        counts = {name: int(count) for name, count in (line.split(": ") for line in lines)}
        return counts["write_bytes"] - counts["cancelled_write_bytes"]
    except (OSError, ValueError, KeyError):
        return None


def card_bytes(folder: Path, devices: Path = BLOCK_DEVICES) -> int | None:
    """Bytes written since the machine's start to the whole disk that `folder` lies on, whoever
    wrote them; None where that is no disk, as under an overlay in memory."""
    try:
        number = folder.stat().st_dev
        device = (devices / f"{os.major(number)}:{os.minor(number)}").resolve(strict=True)
        if (device / "partition").exists():
            device = device.parent
        fields = (device / "stat").read_text(encoding="ascii").split()
        return int(fields[SECTORS_WRITTEN]) * SECTOR_BYTES
    except (OSError, ValueError, IndexError):
        return None


@dataclass(frozen=True)
class _Mark:
    at_s: float
    own: int | None
    card: int | None


class DiskWrites:
    """Bytes a day, over the newest day; told from the first hour on, as a start writes more."""

    def __init__(
        self,
        folder: Path | None,
        clock: Callable[[], float] = time.monotonic,
        own: Callable[[], int | None] = own_bytes,
        card: Callable[[Path], int | None] = card_bytes,
    ) -> None:
        """`folder` lies on the card, if anything is kept at all."""
        self._folder = folder
        self._clock = clock
        self._own = own
        self._card = card
        self._lock = threading.Lock()
        self._marks: deque[_Mark] = deque([self._mark()])

    def body(self) -> dict[str, int | None]:
        """Its part of `health`; to be asked now and then, from any thread."""
        with self._lock:
            now = self._mark()
            if now.at_s - self._marks[-1].at_s >= MARK_EVERY_S:
                self._marks.append(now)
            while len(self._marks) > 1 and now.at_s - self._marks[1].at_s >= DAY_S:
                self._marks.popleft()
            then = self._marks[0]
        span_s = now.at_s - then.at_s
        return {
            "written_bytes": now.own,
            "written_bytes_per_day": _per_day(then.own, now.own, span_s),
            "card_bytes_per_day": _per_day(then.card, now.card, span_s),
        }

    def _mark(self) -> _Mark:
        card = None if self._folder is None else self._card(self._folder)
        return _Mark(self._clock(), self._own(), card)


def _per_day(before: int | None, after: int | None, span_s: float) -> int | None:
    if before is None or after is None or span_s < HOUR_S:
        return None
    return round((after - before) * DAY_S / span_s)
