"""Programs in a fork behave as in a process of their own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.training.datasets import ROOT, python

pytestmark = pytest.mark.slow

DESCRIBE = """
import os, subprocess, sys
print(sys.argv, os.getcwd(), os.environ["NAME"], __name__, "tensorflow" in sys.modules, flush=True)
sys.stderr.write(repr(sys.stdin.read()))
sys.stderr.flush()
subprocess.run(["sh", "-c", "echo by sh; echo error >&2"])
"""


def test_program_has_arguments_folder_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "value")
    done = python("-c", DESCRIBE, "a", Path("b"))
    assert done.stdout == f"['-c', 'a', 'b'] {ROOT} value __main__ True\nby sh\n"
    assert done.stderr == "''error\n"
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("raise SystemExit", 0, ""),
        ("import sys; sys.exit(3)", 3, ""),
        ("raise SystemExit('the reason')", 1, "the reason\n"),
        ("import os; os.kill(os.getpid(), 9)", -9, ""),
    ],
)
def test_exit_status_is_that_of_python(code: str, status: int, error: str) -> None:
    done = python("-c", code)
    assert (done.returncode, done.stderr) == (status, error)


def test_exception_is_printed() -> None:
    done = python("-c", "print('before'); {}['a name']")
    assert (done.returncode, done.stdout) == (1, "before\n")
    assert done.stderr.endswith("KeyError: 'a name'\n")


STARTS_ANOTHER = """
import subprocess, sys
with open(sys.argv[1], "wb", buffering=0) as pipe:
    pipe.write(b"started")
    subprocess.run(["sleep", "1000"], stdout=pipe)
"""


def test_timeout_kills_program_and_its_children(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(subprocess.TimeoutExpired):
        python("-c", STARTS_ANOTHER, path, timeout_s=3)
    os.set_blocking(reader, True)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == b"started"  # and an end: no process has the pipe open any more


def test_random_numbers_differ() -> None:
    code = "import random, numpy; print(random.random(), numpy.random.random())"
    one, other = (python("-c", code).stdout.split() for _ in range(2))
    assert not set(one) & set(other)
