"""`python -m training`: an error of the user is reported as one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.training import datasets
from training.cli import main

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "--data", "nowhere", "--out", "m.keras"], 2, "nowhere does not exist"),
        (["train", "--data", "tests", "--out", "m.keras"], 2, "expected one of"),
        (["evaluate", "--model", "nowhere.tflite", "--data", "tests"], 1, "nowhere.tflite"),
        (["train", "--data", "tests", "none", "--out", "m.keras"], 2, "expected one of"),
        (["evaluate", "--model", "nowhere.onnx", "--data", "tests"], 2, "neither"),
        (["evaluate", "--model", "models/mask.tflite", "--data", "nowhere"], 2, "nowhere"),
    ],
)
def test_user_error_is_one_line(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1
    assert message in error


@pytest.mark.slow
def test_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    data = datasets.kaggle(tmp_path / "tiny", 4)
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "cross"
    done = datasets.python(
        "-m", "training", "cross", "--data", data, "--steps", "1", "--out", place
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"cannot use {place}/tiny-0: Not a directory"
