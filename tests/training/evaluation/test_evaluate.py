"""Evaluation of the shipped model in the real runtime, on drawn faces."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.training import datasets
from tests.support.training.evaluate_command import MODEL, evaluate, evaluate_json
from training.common.metrics import alert_threshold
from training.data.splits import Split
from training.evaluation.predictions import collect_predictions, read_with_all_labels
from training.evaluation.scorers import load_scorer

FOLDERS = {"with_mask": "mask", "without_mask": "no_mask"}


def test_data_sets_are_evaluated_alone_and_pooled(
    split_folders: Path, scenes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other, both = evaluate_json(capsys, "--classes", "2", "--data", split_folders, scenes)
    assert both["data"] == "all together"
    assert both["figures"]["count"] == one["figures"]["count"] + other["figures"]["count"]
    assert (one["data"], one["split"], one["figures"]["count"]) == ("parted", "test", 24)
    assert other["data"] == "scenes"
    assert other["left_out"] == other["pictures"]  # Each picture has one incorrectly masked face.
    assert other["figures"]["count"] == 2 * other["pictures"]
    assert other["alerts"]["flagged"]["incorrect_mask"]["count"] == other["left_out"]
    assert one["chosen"] == other["chosen"]
    assert one["chosen"]["data"] == ["parted", "scenes"]
    for found in (one, other):
        accuracy = found["accuracy"]
        assert accuracy["value"] == pytest.approx(found["figures"]["accuracy"])
        assert 0 <= accuracy["low"] <= accuracy["high"] <= 1


def test_data_sets_of_one_name_get_distinct_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = (
        datasets.kaggle(tmp_path / "a" / "set", 3),
        datasets.kaggle(tmp_path / "b" / "set", 2),
    )
    found = evaluate_json(capsys, "--data", one, other)
    assert [each["data"] for each in found] == [str(one), str(other), "all together"]
    assert found[0]["chosen"]["masked_faces"] == 5


def test_threshold_is_chosen_on_validation(
    split_folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (found,) = evaluate_json(capsys, "--data", split_folders, "--false-alarms", "0.1")
    scorer, data = load_scorer(MODEL, None), read_with_all_labels(split_folders)
    held = collect_predictions(scorer, data, data.in_split(Split.VALIDATION), "validation")
    threshold = alert_threshold([held.scores_of("no_mask")[held.is_label("mask")]], 0.1)
    assert found["chosen"] == {
        "threshold": threshold,
        "false_alarms": 0.1,
        "data": ["parted"],
        "masked_faces": 12,
    }
    tested = collect_predictions(scorer, data, data.in_split(Split.TEST), "test")
    flagged = tested.scores_of("no_mask")[tested.is_label("no_mask")] >= threshold
    assert found["alerts_at_chosen"]["bare_flagged"] == pytest.approx(flagged.mean())


def test_no_threshold_without_test_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = datasets.classes(tmp_path / "whole", FOLDERS, 4)
    (found,) = evaluate_json(capsys, "--data", whole)
    assert (found["split"], found["chosen"], found["alerts_at_chosen"]) == ("all", None, None)
    assert evaluate("--data", whole, "--false-alarms", "0.02") == 2
    assert "adding --split test may help" in capsys.readouterr().err


def test_split_without_faces_is_named(
    tmp_path: Path, split_folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = datasets.voc(tmp_path / "tiny", {"a": [("with_mask", (5.0, 5.0, 20.0, 20.0))]})
    assert evaluate("--data", split_folders, tiny, "--split", "all") == 1
    printed = capsys.readouterr()
    assert "tiny has no face to evaluate" in printed.err
    assert not printed.out  # Nothing may be evaluated before all data are checked.
