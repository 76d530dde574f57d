"""Run the command line in a process, as its users do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 120
_started: list[subprocess.Popen[str]] = []


def environment(state: Path) -> dict[str, str]:
    """Return the environment of this process with `state` as the state directory."""
    return {**os.environ, "STATE_DIRECTORY": str(state), "PYTHONPATH": str(ROOT)}


def command(arguments: tuple[str | Path, ...]) -> list[str]:
    """Return the command line of `mask-patrol` with these arguments.

    The command `run` logs only warnings and errors unless `arguments` set a level.
    """
    line = [sys.executable, "-m", "edge", *map(str, arguments)]
    if "run" in line and "--log-level" not in line:
        line += ["--log-level", "warning"]
    return line


def mask_patrol(state: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command of `mask-patrol` until it ends."""
    return subprocess.run(
        command(arguments),
        env=environment(state),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def start_mask_patrol(state: Path, *arguments: str | Path) -> subprocess.Popen[str]:
    """Start a command of `mask-patrol`; the caller must stop it."""
    process = subprocess.Popen(
        command(arguments),
        env=environment(state),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    _started.append(process)
    return process


@contextmanager
def leftovers_killed() -> Iterator[None]:
    """Kill what `start_mask_patrol` has started inside this block and what still runs at its end.

    A daemon with a camera would otherwise run for ever after a test that failed.
    """
    before = len(_started)
    try:
        yield
    finally:
        for process in _started[before:]:
            if process.poll() is None:
                process.kill()
                process.communicate()
        del _started[before:]


def error_line(result: subprocess.CompletedProcess[str], code: int | None = None) -> str:
    """Return the only line on standard error of a command that failed.

    Fails if there are more lines, or if the exit code is 0 or differs from `code`.
    """
    assert result.returncode == code if code is not None else result.returncode, result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


def mask_patrol_error(result: subprocess.CompletedProcess[str]) -> str:
    """Return the only line on standard error of a failed `mask-patrol`, with its prefix."""
    line = error_line(result)
    assert line.startswith("mask-patrol: ")
    return line
