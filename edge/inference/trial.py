"""Try a file in a child process before this process loads it.

The TFLite runtimes and OpenCV do not verify the files that they read: a damaged file can crash the
process, keep it busy forever, or fill its memory. A child process may do so; its parent continues.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from edge.common.errors import UserError, first_line
from edge.common.paths import PACKAGE

#: A trial takes about a second, and some seconds on the slowest boards. During a reload the loop
#: waits for at most three trials, which must take less than systemd's WatchdogSec (60 s).
TIMEOUT_S = 15.0
#: Memory that a child process may allocate in addition to what it has at its start, about 50 MB.
#: The shipped models need less than 20 MB. Together with the daemon's memory this must stay below
#: systemd's MemoryMax (512 MiB): OOMPolicy=stop also ends the daemon when its child is killed.
EXTRA_MEMORY_BYTES = 192 << 20
#: Exit code of a trial that failed in a normal way: its output is the message.
FAILED = 1
MAX_MESSAGE = 500


def require_trial(module: str, arguments: Sequence[str], path: Path, content: bytes = b"") -> str:
    """Run `python -m module` with `arguments`, which loads and uses the file `path`.

    `module` calls `run_trial`, whose result is returned. `content` is its standard input.

    Raises UserError if the process crashes, takes too long, or reports a failure.
    """
    # The package is imported from where this process has it, not from the current folder.
    paths = [str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")]
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", module, *arguments],
            input=content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        reason = f"it was not finished after {TIMEOUT_S:.0f} s"
    except OSError as error:
        raise UserError(
            f"cannot start the process that tries {path}: {error.strerror or error}"
        ) from None
    else:
        text = done.stdout.decode(errors="replace").strip()
        if done.returncode == 0:
            return text
        if done.returncode == FAILED and text:
            raise UserError(text[:MAX_MESSAGE])
        reason = f"the process {_end_of(done.returncode)}"
    raise UserError(
        f"{path} is damaged, or needs too much memory: when a separate process tried it, {reason};"
        " copy the file again, or convert it again"
    )


def run_trial(path: Path, trial: Callable[[], str]) -> int:
    """Run `trial` of the file `path` in this process, which `require_trial` started.

    Returns the exit code. The output is the result of `trial`, or the message of an exception,
    which may be of any kind.
    """
    _limit_resources()
    code = FAILED
    try:
        output = trial()
        code = 0
    except UserError as error:
        output = str(error)
    except Exception as error:  # native code documents no exceptions
        output = f"{path} cannot be used: {first_line(error)}"
    sys.stdout.write(output + "\n")
    return code


def _limit_resources() -> None:
    with contextlib.suppress(OSError):  # the first process to be killed when memory runs out
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    for limit, value in (
        (resource.RLIMIT_DATA, _data_bytes() + EXTRA_MEMORY_BYTES),
        (resource.RLIMIT_CORE, 0),
        # Ends this process also if its parent was killed.
        (resource.RLIMIT_CPU, int(TIMEOUT_S) * (os.cpu_count() or 1) + 1),
    ):
        with contextlib.suppress(OSError, ValueError):  # a lower limit is in force already
            resource.setrlimit(limit, (value, value))


def _data_bytes() -> int:
    """Return how much memory of this process counts for RLIMIT_DATA; see proc_pid_statm(5)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])
    return pages * resource.getpagesize()


def _end_of(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"
