"""Describes this machine, because figures of different machines are not comparable."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import cv2
import numpy as np

from edge.health.raspberry_pi import temperature_c, throttle_flags

#: The name of a Raspberry Pi's board, terminated by a null character.
BOARD = Path("/proc/device-tree/model")
CPU_INFO = Path("/proc/cpuinfo")


def machine() -> dict[str, str | int | float]:
    """Return board or processor, cores, versions, and what may slow the machine down now."""
    found: dict[str, str | int | float] = {
        "processor": processor(),
        "architecture": platform.machine(),
        "cores": os.cpu_count() or 1,
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "opencv": cv2.__version__,
        "numpy": np.__version__,
    }
    if (celsius := temperature_c()) is not None:
        found["temperature_c"] = celsius
    if flags := throttle_flags():
        found["throttled"] = ", ".join(flags)
    return found


def processor(board: Path = BOARD, cpu_info: Path = CPU_INFO) -> str:
    """Return the board's name, else the processor's, else `unknown`."""
    try:
        return board.read_text(encoding="utf-8", errors="replace").rstrip("\0\n")
    except OSError:
        pass
    try:
        lines = cpu_info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown"
