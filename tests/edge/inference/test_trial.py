"""A file is tried in a process of its own, which may crash."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edge.common.errors import UserError
from edge.inference import trial
from edge.inference.trial import require_trial

TRIALS = "tests.support.models.trials"
PATH = Path("model.tflite")


def refusal(end: str) -> str:
    with pytest.raises(UserError) as error:
        require_trial(TRIALS, [end], PATH)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("model.tflite ")
    return str(error.value)


def test_result_of_a_successful_trial_is_returned(capfd: pytest.CaptureFixture[str]) -> None:
    assert require_trial(TRIALS, ["well"], PATH) == "the result"
    assert capfd.readouterr() == ("", "")


def test_crash_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    assert "is damaged" in refusal("crash")
    assert "was ended by SIGSEGV" in refusal("crash")
    assert capfd.readouterr() == ("", "")


def test_endless_trial_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "TIMEOUT_S", 0.5)
    assert "it was not finished after" in refusal("hang")


def test_memory_is_limited() -> None:
    assert "cannot be used: MemoryError" in refusal("memory")


def test_first_line_of_an_exception_is_reported() -> None:
    assert refusal("error") == "model.tflite cannot be used: the first line"


def test_trial_that_ends_without_a_result_is_an_error() -> None:
    assert "ended with code 1" in refusal("unknown")


def test_process_that_cannot_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(UserError, match=r"cannot start the process that tries model\.tflite"):
        require_trial(TRIALS, ["well"], PATH)
