"""`python -m edge.bench.isolated_run`: plays footage through one contender in its own process.

So the peak memory, and the instructions that perf or valgrind count, are that contender's alone.
It prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

from edge.bench.footage import people
from edge.bench.measure import Contender, one_opencv_thread
from edge.bench.original_pipeline import Original
from edge.bench.our_pipeline import Ours
from edge.bench.processes import our_command, our_environment, peak_mb
from edge.bench.stage_costs import StageCosts
from edge.common.errors import UserError
from edge.config.settings import Settings, load_settings

#: Far more than a Pi Zero needs for one or two seconds of footage.
TIMEOUT_S = 600.0


def measure_isolated(contender: str, config: Path, frames: int) -> dict[str, Any]:
    """Play `frames` frames of the demo with people in view, and return the process's JSON object.

    Raises UserError when the process fails.
    """
    try:
        done = subprocess.run(
            isolated_command(contender, config, frames),
            env=our_environment(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"{contender} took more than {TIMEOUT_S:g} s in its own process") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        reason = said[-1] if said else f"it ended with code {done.returncode}"
        raise UserError(f"{contender} failed in its own process: {reason}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def isolated_command(contender: str, config: Path, frames: int, idle: bool = False) -> list[str]:
    """Return the command line; with `idle` the frames are read, but not processed."""
    words = [contender, str(frames), "--config", str(config), *(["--idle"] if idle else [])]
    return our_command("edge.bench.isolated_run", *words)


def contender_named(name: str, settings: Settings) -> Contender:
    """Return the contender `ours` or `original`; raises UserError when it cannot be loaded."""
    return Ours(settings) if name == Ours.name else Original()


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the contender's own process; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m edge.bench.isolated_run", description=__doc__)
    parser.add_argument("contender", choices=(Ours.name, Original.name))
    parser.add_argument("frames", type=int)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--idle", action="store_true")
    options = parser.parse_args(arguments)
    try:
        settings = load_settings(options.config)
        with one_opencv_thread():
            contender = contender_named(options.contender, settings)
            contender.begin(StageCosts())
            shown = 0
            for frame in islice(people(settings).frames(), options.frames):
                if not options.idle:
                    contender.process(frame)
                shown += 1
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    answer_body = {"frames": shown, "peak_mb": peak_mb()}
    sys.stdout.write(json.dumps(answer_body) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
