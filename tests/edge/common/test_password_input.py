"""Reading a password from a terminal and from standard input."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from edge.common.errors import UsageError
from edge.common.password_input import read_password


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_line_of_standard_input(monkeypatch: pytest.MonkeyPatch, errors: str) -> None:
    def read(raw: bytes) -> str:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw), "utf-8", errors))
        return read_password("Password: ")

    assert read("p\xe4ss w\r\nmore".encode()) == "p\xe4ss w"
    assert read(b"") == ""
    with pytest.raises(UsageError, match="the password: what was typed is not UTF-8 text"):
        read("p\xe4ss".encode("latin-1"))


def test_end_of_the_input_on_a_terminal_is_one_line(tmp_path: Path) -> None:
    ours, terminal = pty.openpty()
    question = b"New password of the dashboard: "
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "edge", "dashboard", "--set-password"],
            stdin=terminal,
            stderr=subprocess.PIPE,
            env={**os.environ, "STATE_DIRECTORY": str(tmp_path)},
            start_new_session=True,  # without a controlling terminal, standard input is asked
        ) as program:
            assert program.stderr is not None
            assert program.stderr.read(len(question)) == question
            os.write(ours, b"\x04")  # Ctrl-D
            error = program.stderr.read().decode()
    finally:
        os.close(ours)
        os.close(terminal)
    assert program.returncode == 2
    assert error == "\nmask-patrol: no password was given, and nothing was changed\n"
