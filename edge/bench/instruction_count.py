"""Counts the instructions of a frame, which unlike times do not depend on other programs.

perf counts them where the kernel permits it. Otherwise, if requested, valgrind counts them, which
takes minutes. The instructions of loading and decoding are counted separately and subtracted.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from edge.bench.isolated_run import isolated_command
from edge.bench.processes import our_environment
from edge.common.errors import UserError

#: Frames in one second of the demo with a person in view.
FRAMES = 15
#: A program runs about fifty times slower under valgrind, and a Pi is slow even without it.
TIMEOUT_S = 3600.0
PERF = ("perf", "stat", "-x", ",", "-e", "instructions:u", "-o")
VALGRIND = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")


def counter(valgrind: bool) -> str:
    """Return `perf` or `valgrind`, whichever works here; raises UserError when neither does."""
    if shutil.which("perf") and _perf_count(["true"]) is not None:
        return "perf"
    if valgrind and shutil.which("valgrind"):
        return "valgrind"
    if valgrind:
        raise UserError("neither perf nor valgrind can count here: apt install valgrind")
    raise UserError("perf cannot count here; --instructions uses valgrind, which takes minutes")


def instructions_per_frame(
    contenders: Sequence[str], config: Path, tool: str, frames: int = FRAMES
) -> dict[str, int]:
    """Return the instructions of one frame by contender; `tool` is the result of `counter`.

    Raises UserError when the count fails.
    """
    jobs = [(name, idle) for name in contenders for idle in (False, True)]

    def count(job: tuple[str, bool]) -> int:
        name, idle = job
        command = isolated_command(name, config, frames, idle)
        found = _perf_count(command) if tool == "perf" else _valgrind_count(command)
        if found is None:
            raise UserError(f"{tool} could not count the instructions of {name}")
        return found

    # Instruction counts do not depend on what runs at the same time.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = dict(zip(jobs, pool.map(count, jobs), strict=True))
    return {
        name: max(0, round((counts[name, False] - counts[name, True]) / frames))
        for name in contenders
    }


def _perf_count(command: list[str]) -> int | None:
    with tempfile.NamedTemporaryFile("r", suffix=".csv") as out:
        if _run([*PERF, out.name, "--", *command]) is None:
            return None
        return perf_count_in(out.read())


def _valgrind_count(command: list[str]) -> int | None:
    output = _run([*VALGRIND, *command])
    return None if output is None else valgrind_count_in(output)


def perf_count_in(output: str) -> int | None:
    """Return the count in the output of `perf stat -x ,`; None when there is none."""
    found = re.search(r"^(\d+),[^,]*,instructions", output, re.MULTILINE)
    return int(found.group(1)) if found else None


def valgrind_count_in(output: str) -> int | None:
    """Return the count in the standard error of callgrind; None when there is none."""
    found = re.search(r"Collected : (\d+)", output)
    return int(found.group(1)) if found else None


def _run(command: list[str]) -> str | None:
    """Return the standard error of `command`; None when it failed."""
    try:
        done = subprocess.run(
            command,
            env=our_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stderr if done.returncode == 0 else None
