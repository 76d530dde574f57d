"""Running the installed program as its users do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 120


def environment(state: Path) -> dict[str, str]:
    """This one, with a state directory of its own."""
    return {**os.environ, "STATE_DIRECTORY": str(state), "PYTHONPATH": str(ROOT)}


def command(arguments: tuple[str | Path, ...]) -> list[str]:
    """What a shell would run; `run` says only what is wrong unless told otherwise."""
    words = [sys.executable, "-m", "edge", *map(str, arguments)]
    if "run" in words and "--log-level" not in words:
        words += ["--log-level", "warning"]
    return words


def mask_patrol(state: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(arguments),
        env=environment(state),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def start_mask_patrol(state: Path, *arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(arguments),
        env=environment(state),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def assert_one_clear_line(result: subprocess.CompletedProcess[str], expected: str) -> None:
    """Non-zero exit, one line on standard error, no traceback."""
    assert result.returncode != 0
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("mask-patrol: ")
    assert expected in lines[0]
