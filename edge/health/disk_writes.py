"""Measures the writes to the SD card, which wears out: by this process, and in total."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PROCESS_IO = Path("/proc/self/io")
BLOCK_DEVICES = Path("/sys/dev/block")
#: The unit of a block device's `stat`, whatever the size of the device's own sectors is (kernel
#: documentation, block/stat.rst).
SECTOR_BYTES = 512
#: Index of the field "write sectors" in `stat`.
SECTORS_WRITTEN = 6
DAY_S, HOUR_S = 86_400.0, 3600.0
#: Interval between the samples that are kept: 144 of them cover a day.
SAMPLE_INTERVAL_S = 600.0


def process_written_bytes(file: Path = PROCESS_IO) -> int | None:
    """Return the bytes that this process has caused to be written to disks; None where the
    kernel does not count them. Writes to memory (/run, on many systems /tmp) do not count."""
    try:
        lines = file.read_text(encoding="ascii").splitlines()
        counts = {name: int(count) for name, count in (line.split(": ") for line in lines)}
        return counts["write_bytes"] - counts["cancelled_write_bytes"]
    except (OSError, ValueError, KeyError):
        return None


def disk_written_bytes(folder: Path, devices: Path = BLOCK_DEVICES) -> int | None:
    """Return the bytes that all processes have written, since the machine was started, to the
    whole disk that holds `folder`; None if `folder` is not on a disk, as with an overlay in
    memory."""
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
class _Sample:
    at_s: float
    by_process: int | None
    to_disk: int | None


class DiskWrites:
    """Bytes written per day, over the last day.

    In the first hour no rate is reported, because a start writes more than normal operation.
    """

    def __init__(
        self,
        folder: Path | None,
        clock: Callable[[], float] = time.monotonic,
        by_process: Callable[[], int | None] = process_written_bytes,
        to_disk: Callable[[Path], int | None] = disk_written_bytes,
    ) -> None:
        """`folder` is on the disk to watch; None when the daemon keeps nothing on a disk."""
        self._folder = folder
        self._clock = clock
        self._by_process = by_process
        self._to_disk = to_disk
        self._lock = threading.Lock()
        self._samples: deque[_Sample] = deque([self._sample()])

    def body(self) -> dict[str, int | None]:
        """Return the fields of `health`, from any thread.

        The window of the rates is exact only if this is called at least once in each
        `SAMPLE_INTERVAL_S`.
        """
        with self._lock:
            now = self._sample()
            if now.at_s - self._samples[-1].at_s >= SAMPLE_INTERVAL_S:
                self._samples.append(now)
            while len(self._samples) > 1 and now.at_s - self._samples[1].at_s >= DAY_S:
                self._samples.popleft()
            oldest = self._samples[0]
        span_s = now.at_s - oldest.at_s
        return {
            "written_bytes": now.by_process,
            "written_bytes_per_day": _per_day(oldest.by_process, now.by_process, span_s),
            "card_bytes_per_day": _per_day(oldest.to_disk, now.to_disk, span_s),
        }

    def _sample(self) -> _Sample:
        to_disk = None if self._folder is None else self._to_disk(self._folder)
        return _Sample(self._clock(), self._by_process(), to_disk)


def _per_day(before: int | None, after: int | None, span_s: float) -> int | None:
    if before is None or after is None or span_s < HOUR_S:
        return None
    return round((after - before) * DAY_S / span_s)
