"""Instructions of a frame: unlike times, they are the same whatever else the machine does.

Counted by perf where the kernel lets it, else, when asked for as it takes minutes, by valgrind.
What loading and decoding cost is counted by itself and taken off.
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

from edge.bench.isolated_run import alone_command
from edge.bench.processes import our_environment
from edge.common.errors import UserError

#: A second of the demo with somebody in view.
FRAMES = 15
#: Valgrind is some fifty times slower than the machine; a Pi takes long for what it does not.
TIMEOUT_S = 3600.0
PERF = ("perf", "stat", "-x", ",", "-e", "instructions:u", "-o")
VALGRIND = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")


def counter(valgrind: bool) -> str:
    """`perf` or `valgrind`, whichever counts here; raises UserError when none does."""
    if shutil.which("perf") and _perf_count(["true"]) is not None:
        return "perf"
    if valgrind and shutil.which("valgrind"):
        return "valgrind"
    if valgrind:
        raise UserError("neither perf nor valgrind can count here: apt install valgrind")
    raise UserError("perf cannot count here; --instructions lets valgrind do it, in minutes")


def instructions_per_frame(
    contenders: Sequence[str], config: Path, tool: str, frames: int = FRAMES
) -> dict[str, int]:
    """By contender; `tool` is what `counter` gave. Raises UserError when the count fails."""
    jobs = [(name, idle) for name in contenders for idle in (False, True)]

    def count(job: tuple[str, bool]) -> int:
        name, idle = job
        command = alone_command(name, config, frames, idle)
        found = _perf_count(command) if tool == "perf" else _valgrind_count(command)
        if found is None:
            raise UserError(f"{tool} could not count the instructions of {name}")
        return found

    # Counts do not mind what runs beside them.
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
    said = _run([*VALGRIND, *command])
    return None if said is None else valgrind_count_in(said)


def perf_count_in(said: str) -> int | None:
    """The count in what `perf stat -x ,` wrote; None when it could not."""
    found = re.search(r"^(\d+),[^,]*,instructions", said, re.MULTILINE)
    return int(found.group(1)) if found else None


def valgrind_count_in(said: str) -> int | None:
    """The count in what callgrind wrote to standard error; None when there is none."""
    found = re.search(r"Collected : (\d+)", said)
    return int(found.group(1)) if found else None


def _run(command: list[str]) -> str | None:
    """What it wrote to standard error; None when it failed."""
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
