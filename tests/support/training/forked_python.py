"""Runs a Python program in a fork of a process that has imported TensorFlow already.

The import takes five seconds of CPU time, which every fresh process would spend again. The first
program of a test session starts a server process, which imports what `tensorflow_imports` imports
and ends with the tests' process. The server itself never runs a program: it only forks, before
TensorFlow has started threads or has made its context. So a fork differs from a fresh process only
in two ways that tests must consider:

- TensorFlow is in the process, even if the program does not need it. tflite-runtime fails then.
- All forks have the same order of sets of strings, which a fresh process draws anew.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import types
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from pathlib import Path

import numpy as np

IMPORTS = "tests.support.training.tensorflow_imports"
OUTPUTS = ("stdout", "stderr")
_STARTING = threading.Lock()


def run_in_fork(
    arguments: Sequence[str],
    folder: Path,
    compiled: bool,
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `python -m MODULE …` or `python -c CODE …` in `folder`, and capture its output.

    `compiled`: whether TensorFlow compiles its functions, as it does in a fresh process.
    `environment`: variables that are added to those of this process. Threads may call this at the
    same time.

    Raises subprocess.TimeoutExpired after killing the program and the processes that it started.
    """
    with _STARTING:
        _start_server(folder)
    with tempfile.TemporaryDirectory() as temporary:
        outputs = [Path(temporary) / name for name in OUTPUTS]
        process = multiprocessing.get_context("forkserver").Process(
            target=_run,
            args=(
                list(arguments),
                folder,
                compiled,
                outputs,
                {**os.environ, **(environment or {})},
            ),
        )
        process.start()
        try:
            process.join(timeout_s)
        finally:
            ended = process.exitcode is not None
            if not ended:
                _kill_group(process.pid)
                process.join()
        command = [sys.executable, *arguments]
        stdout, stderr = (path.read_text() if path.exists() else "" for path in outputs)
        if not ended:
            raise subprocess.TimeoutExpired(command, timeout_s, stdout, stderr)
        return subprocess.CompletedProcess(command, process.exitcode or 0, stdout, stderr)


@functools.cache
def _start_server(folder: Path) -> None:
    """Start the server in `folder`, where it finds the modules that it imports."""
    multiprocessing.get_context("forkserver").set_forkserver_preload([IMPORTS])
    with contextlib.chdir(folder):
        forkserver.ensure_running()


def _kill_group(pid: int | None) -> None:
    """Kill the program; its group has its own number once it has started."""
    assert pid is not None
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)


def _run(
    arguments: list[str],
    folder: Path,
    compiled: bool,
    outputs: list[Path],
    environment: Mapping[str, str],
) -> None:
    """Run the program in this process; multiprocessing turns SystemExit into the exit status."""
    os.setsid()
    for number, path in enumerate(outputs, start=1):
        with path.open("wb") as file:
            os.dup2(file.fileno(), number)
    if IMPORTS not in sys.modules:
        raise RuntimeError(f"the server could not import {IMPORTS}")
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    np.random.seed()  # otherwise every fork would draw the same random numbers
    if not compiled:
        sys.modules["tensorflow"].config.run_functions_eagerly(True)
    option, program, *rest = arguments
    if option == "-m":
        sys.argv = [program, *rest]
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    elif option == "-c":
        sys.argv = [option, *rest]
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(program, "<string>", "exec"), main.__dict__)
    else:
        raise ValueError(f"neither -m nor -c: {arguments}")
