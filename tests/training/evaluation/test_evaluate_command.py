"""`python -m training evaluate`: refused options, and the warning about training data."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.training import datasets
from tests.support.training.evaluate_command import MODEL, evaluate
from training.evaluation.scorers import load_scorer

FOLDERS = {"with_mask": "mask", "without_mask": "no_mask"}


def test_folder_given_twice_is_refused(
    split_folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate("--data", split_folders, split_folders.parent / "." / split_folders.name) == 2
    assert f"{split_folders.resolve()} is given 2 times" in capsys.readouterr().err


@pytest.mark.parametrize("share", ["0", "1", "two"])
def test_false_alarms_must_be_a_share(share: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        evaluate("--data", "anywhere", "--false-alarms", share)
    assert stopped.value.code == 2
    assert "is not a share between 0 and 1" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--out", "--mistakes"])
def test_file_in_place_of_folder_is_refused(
    option: str, tmp_path: Path, split_folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert evaluate("--data", split_folders, option, tmp_path / "file") == 2
    assert "is not a folder" in capsys.readouterr().err


def test_warns_about_evaluation_on_training_data(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trained = load_scorer(MODEL, None).trained_on
    assert "face-crops-4k" in trained
    data = datasets.classes(tmp_path / "face-crops-4k", FOLDERS, 12)
    for split, warned in ((None, True), ("train", True), ("test", False), ("validation", False)):
        caplog.clear()
        evaluate("--data", data, *(["--split", split] if split else []))
        assert ("use --split test" in caplog.text) == warned, split
    caplog.clear()
    trained_on = datasets.kaggle(tmp_path / "face-mask-12k", 2)
    evaluate("--data", trained_on)
    evaluate("--data", trained_on / "Test")
    assert "optimistic" not in caplog.text
    evaluate("--data", trained_on / "Train")
    assert f"evaluate {trained_on} with --split test" in caplog.text
