"""The summary of data sets: counts and findings."""

from __future__ import annotations

from pathlib import Path

from tests.support.training import datasets
from tests.support.training.patterns import pattern_folders, stats_of
from training.exploration.dataset_stats import DataSetStats
from training.exploration.findings import counts_table, summary, summary_lines


def findings_of(stats: DataSetStats) -> str:
    found: list[str] = summary([stats], [], [])["findings"]
    return "\n".join(found)


def test_imbalance_and_empty_splits_are_reported(tmp_path: Path) -> None:
    stats = stats_of(pattern_folders(tmp_path / "d", {"Train/Mask": 8, "Train/NoMask": 2}))
    found = findings_of(stats)
    assert "d: mask is 4.0 times as frequent as no_mask." in found
    assert "d: the validation and test split has no face." in found


def test_balanced_labels_are_not_reported(tmp_path: Path) -> None:
    stats = stats_of(pattern_folders(tmp_path / "d", {"mask": 30, "no_mask": 30}))
    assert "times as frequent" not in findings_of(stats)


def test_narrow_faces_are_reported(tmp_path: Path) -> None:
    boxes = [("with_mask", (5.0, 5.0, 20.0, 22.0)), ("without_mask", (60.0, 5.0, 60.0, 66.0))]
    stats = stats_of(datasets.voc(tmp_path / "d", {"a": boxes}))
    assert "50% of the annotated faces are narrower than 28 px" in findings_of(stats)


def test_style_findings_name_the_pair_and_the_measure() -> None:
    row = {"look": 0.95, "look and size": 0.97}
    found = summary([], [], [("d: mask / no_mask", row)])["findings"]
    assert found == [
        "d: mask / no_mask: style reveals the label. Without a mask in view, brightness, colour and"
        " sharpness separate these labels with a probability of 0.95 (0.5: chance)."
    ]
    assert (
        summary([], [], [("d: mask / no_mask", {"look": 0.6, "look and size": 0.65})])["findings"]
        == []
    )


def test_counts_are_a_table_of_splits(tmp_path: Path) -> None:
    stats = stats_of(pattern_folders(tmp_path / "d", {"Train/Mask": 3, "Test/NoMask": 2}))
    found = summary([stats], [], [])
    assert counts_table(found) == [
        ["data set", "split", "mask", "no_mask"],
        ["d", "train", "3", "0"],
        ["d", "test", "0", "2"],
    ]
    lines = list(summary_lines(found))
    assert lines[1].split() == ["d", "train", "3", "0"]
    assert lines[-1].startswith("- ")
