"""A process that runs native code on one input after another, and must survive each of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.cli_process import environment
from tests.support.fuzz.fuzzer import memory_mb


class ChildProcess:
    """A module that answers each line of its standard input with a line of JSON.

    A process that has ended is replaced for the next input, so that Hypothesis can look for the
    simplest input that ends it.
    """

    def __init__(self, module: str, folder: Path, max_mb: float) -> None:
        """Start `python -m module`, with state in `folder`; it may use at most `max_mb`."""
        self._module, self._folder, self._max_mb = module, folder, max_mb
        self._process = self._start()

    def ask(self, line: str) -> Any:
        """Return the answer to `line`; raises AssertionError if the process ends instead."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            code = self._process.wait()
            self.close()
            self._process = self._start()
            raise AssertionError(f"{self._module} has ended with code {code}")
        peak_mb = memory_mb("VmHWM", self._process.pid)
        assert peak_mb < self._max_mb, f"{self._module} has used {peak_mb:.0f} MB"
        return json.loads(answer)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", self._module],
            env=environment(self._folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
