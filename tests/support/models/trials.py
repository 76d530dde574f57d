"""A trial that ends in the way that its argument names: `python -m tests.support.models.trials`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from edge.inference.trial import EXTRA_MEMORY_BYTES, run_trial


def _kill() -> str:
    os.kill(os.getpid(), signal.SIGSEGV)
    return ""


def _hang() -> str:
    signal.pause()
    return ""


def _fill_memory() -> str:
    return str(len(bytearray(2 * EXTRA_MEMORY_BYTES)))


def _fail() -> str:
    raise ValueError("the first line\nthe second line")


ENDS: dict[str, Callable[[], str]] = {
    "well": lambda: "the result",
    "crash": _kill,
    "hang": _hang,
    "memory": _fill_memory,
    "error": _fail,
}

if __name__ == "__main__":
    sys.exit(run_trial(Path("model.tflite"), ENDS[sys.argv[1]]))
