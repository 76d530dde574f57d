"""The arguments of a real process, as other users read them in /proc."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edge.common.process_arguments import replace_in_arguments

CODE = """
import sys
from edge.common.process_arguments import replace_in_arguments
print(replace_in_arguments(sys.argv[2], sys.argv[3]), flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("replacement", "expected"),
    [("rtsp://cam", "rtsp://cam".ljust(16)), ("x" * 30, "x" * 16), ("", " " * 16)],
)
def test_argument_is_replaced_for_other_users(replacement: str, expected: str) -> None:
    secret = "rtsp://u:pä@cam"  # 16 bytes
    words = [sys.executable, "-c", CODE, "first", secret, replacement, f"--source={secret}", "last"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        seen = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode().split("\0")
        process.communicate("")
    assert seen[3:] == ["first", expected, replacement, f"--source={expected}", "last", ""]


def test_absent_argument_changes_nothing() -> None:
    before = Path("/proc/self/cmdline").read_bytes()
    assert not replace_in_arguments("not an argument of this process", "x")
    assert not replace_in_arguments("", "x")
    assert Path("/proc/self/cmdline").read_bytes() == before
