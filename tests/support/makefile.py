"""The Makefile in a checkout with programs that only print their arguments."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: The stamp files of the virtual environment, each after those that it depends on.
STAMPS = ("venv", "train", "edge", "bench", "image", "release", "dashboard", "unit", "dev", "pi")
#: What `make` gets from the environment: without the variables that the `make` that runs the tests
#: has exported.
OUTER = {
    name: os.environ[name] for name in ("HOME", "LANG", "PATH", "TMPDIR") if name in os.environ
}
# Each argument in one line of hexadecimal digits, so that a value can contain any character.
PRINT_ARGUMENTS = """#!/bin/sh
for argument in "$@"; do printf %s "$argument" | od -An -v -tx1 | tr -d ' \\n'; echo; done
"""


def checkout(folder: Path) -> Path:
    """Return `folder` with the Makefile, a stub of `.venv`, and a bundle."""
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    os.utime(folder / "pyproject.toml", (1, 1))
    for second, name in enumerate(STAMPS, start=2):
        stamp = folder / ".venv" / f".{name}"
        stamp.touch()
        os.utime(stamp, (second, second))
    for name in ("python", "mask-patrol"):
        program = folder / ".venv" / "bin" / name
        program.write_text(PRINT_ARGUMENTS)
        program.chmod(0o755)
    (folder / "dist").mkdir()
    (folder / "dist" / "mask-patrol-1-arm64.tar").touch()
    return folder


def make(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run `make ARGUMENTS…` in a checkout."""
    return subprocess.run(
        ["make", "--silent", *arguments],
        cwd=folder,
        env={**OUTER, **(environment or {})},
        capture_output=True,
        timeout=120,
        check=False,
    )


def printed_arguments(result: subprocess.CompletedProcess[bytes]) -> list[str]:
    """Return the arguments that the stub programs printed."""
    assert result.returncode == 0, result.stderr.decode()
    return [bytes.fromhex(line).decode() for line in result.stdout.decode().splitlines()]
