"""`python -m training`: an error of the user is reported as one line."""

from __future__ import annotations

import pytest

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
