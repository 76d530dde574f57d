"""`python -m training detector`: an error of the user is reported as one line, before TensorFlow is
imported.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.training.boxed_pictures import write_jsonl
from training.cli import main

BOX = (10.0, 20.0, 30.0, 40.0)


def _error(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["detector", *map(str, arguments)]) == 2
    return capsys.readouterr().err


def test_model_must_be_a_keras_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = _error(capsys, "--data", tmp_path, "--out", "face.h5")
    assert "must end with .keras" in error


def test_split_without_faces_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_jsonl(tmp_path / "j", {"0.png": [(BOX, "face")]})
    out = tmp_path / "face.keras"
    error = _error(capsys, "--data", root, "--out", out, "--run-folder", tmp_path / "run")
    assert "split of all data together has no picture with a face" in error


def test_existing_run_is_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "state.npz").write_bytes(b"")
    arguments = ["--data", tmp_path, "--out", tmp_path / "face.keras"]
    error = _error(capsys, *arguments, "--run-folder", tmp_path / "run")
    assert "--resume continues it" in error


@pytest.mark.parametrize("size", ["320", "320x250", "16x16", "axb"])
def test_invalid_size_is_refused(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["detector", "--data", ".", "--out", "m.keras", "--size", size])
    assert "multiples of 16" in capsys.readouterr().err
