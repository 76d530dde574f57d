"""Finding and running the system's programs, and reporting their failures."""

from __future__ import annotations

from pathlib import Path

import pytest
from sdcard.programs import find, run, run_for_errors

from edge.common.errors import UserError


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A program that prints its locale, writes an error, and exits with its argument."""
    path = tmp_path / "mdir"
    path.write_text('#!/bin/sh\necho "locale $LC_ALL $EXTRA"\necho "it failed" >&2\nexit "$1"\n')
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return "mdir"


def test_missing_program_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("sdcard.programs.SBIN", ())
    with pytest.raises(UserError, match="mcopy is not installed: sudo apt install mtools"):
        find("mcopy")


def test_output_is_in_english(program: str) -> None:
    assert run(program, "0", environment={"EXTRA": "x"}) == "locale C x\n"


def test_failure_reports_exit_code_and_message(program: str) -> None:
    with pytest.raises(UserError, match=r"mdir failed \(3\): it failed"):
        run(program, "3")


def test_accepted_exit_code_is_success(program: str) -> None:
    assert run(program, "3", accept=(0, 3)) == "locale C \n"


def test_errors_of_a_successful_program_are_returned(program: str) -> None:
    assert run_for_errors(program, "0") == ["it failed"]
