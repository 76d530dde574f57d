"""The figures by which `adopt` compares two classifiers: which answers, and with which labels."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.support.training import datasets
from training.adoption import classifier_figures as module
from training.adoption.classifier_figures import classifier_figures, compared_answers
from training.adoption.comparison import Comparison
from training.evaluation.scorers import LabelledImages, Scorer
from training.network.model_report import read_report

TWO, THREE = ("mask", "no_mask"), ("mask", "no_mask", "incorrect_mask")
REPORT = read_report(datasets.ROOT / "models" / "mask.json")
SAME = {"with_mask": "mask", "without_mask": "no_mask"}


@pytest.mark.parametrize(
    ("models", "answers"),
    [([THREE, THREE], [TWO, THREE]), ([THREE], [TWO, THREE]), ([THREE, TWO], [TWO])],
)
def test_answers_that_both_models_have_are_compared(
    models: list[tuple[str, ...]], answers: list[tuple[str, ...]]
) -> None:
    assert compared_answers(models) == answers


def test_model_that_lacks_a_label_is_worse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def constant(pairs: LabelledImages) -> module.Floats:
        return np.array([[0.6, 0.4] for _ in pairs], np.float32)

    def load(model: Path, runtime: str | None, classes: int) -> Scorer:
        assert classes == 2
        return Scorer(TWO, "", 0.5, constant)

    monkeypatch.setattr(module, "load_scorer", load)
    data = datasets.classes(tmp_path / "faces", SAME, 30)
    answers = [(module.test_sets([data], TWO), TWO)]
    new, present = (
        classifier_figures(Path("x"), msgspec.structs.replace(REPORT, labels=list(labels)), answers)
        for labels in (TWO, THREE)
    )
    found = Comparison(Path("run/mask.keras"), Path("models/mask.keras"), "faces", new, present)
    assert found.worse == ["number of labels: 2 instead of 3"]
