"""Metrics of a model on the test splits of its data sets."""

from __future__ import annotations

from pathlib import Path

from tests.support.training import datasets
from training.data.datasets import LABELS, read_dataset
from training.fit.held_out_metrics import test_split_metrics as measure

MODEL = datasets.ROOT / "models" / "mask.tflite"


def test_only_listed_data_sets_are_measured(tmp_path: Path) -> None:
    roots = [datasets.kaggle(tmp_path / name, 2) for name in ("one", "other")]
    found = measure(MODEL, [read_dataset(root, LABELS[2]) for root in roots], ["one"])
    ((name, metrics),) = found.items()
    assert name.startswith("one test")
    assert metrics["faces"] == 4
    assert sum(map(sum, metrics["confusion"])) == 4
    assert 0 <= metrics["accuracy"] <= 1


def test_data_set_with_given_label_is_read_again(tmp_path: Path) -> None:
    folder = datasets.portraits(tmp_path / "portraits", 40)
    data = read_dataset(Path(f"no_mask={folder}"), LABELS[2])
    found = measure(MODEL, [data], ["portraits"])
    assert found["portraits test, Keras float"]["confusion"][0] == [0, 0, 0]
