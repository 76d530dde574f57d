"""Runs a module of this package in a process of its own, and returns its JSON answer.

TensorFlow and tflite-runtime in one process break each other, so the runtimes run elsewhere.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any


def json_answer(module: str, arguments: list[str], timeout_s: float) -> dict[str, Any] | str:
    """Run `python -m module` with `arguments`; return the JSON object in its last line of output.

    Returns a line with the reason when the process dies, or when its object has an `error`. Raises
    subprocess.TimeoutExpired.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    lines = done.stdout.splitlines()
    if not lines:
        return f"the process died with code {done.returncode}"
    answer: dict[str, Any] = json.loads(lines[-1])
    return str(answer["error"]) if "error" in answer else answer
