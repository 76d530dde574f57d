"""All figures of a model's answers, on faces made up so that they can be counted by hand."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

from training.data.datasets import LABELS, Sample
from training.data.splits import Split
from training.evaluation.evaluation_metrics import (
    ChosenThreshold,
    Evaluation,
    EvaluationContext,
    evaluation_of,
)
from training.evaluation.predictions import Predictions, pool
from training.evaluation.slices import mask_kind, value_bands
from training.evaluation.terminal_report import report_lines

TWO, THREE = LABELS[2], LABELS[3]


def answers(
    labels: tuple[str, ...],
    faces: list[tuple[str, list[float]]],
    names: list[str] | None = None,
    width_px: list[float] | None = None,
    luma: list[float] | None = None,
) -> Predictions:
    """Faces with their true label and their scores, each in a picture of its own name."""
    count = len(faces)
    names = names or [f"{index}.png" for index in range(count)]
    return Predictions(
        labels,
        ("made up",),
        tuple(
            Sample(Path(name), label, Split.TEST)
            for name, (label, _) in zip(names, faces, strict=True)
        ),
        np.array([scores for _, scores in faces], np.float32),
        np.array(width_px or [100.0] * count, np.float32),
        np.array(luma or [120.0] * count, np.float32),
        np.zeros(count, np.int64),
    )


def evaluation(found: Predictions, threshold: float | None = 0.5) -> Evaluation:
    return evaluation_of(EvaluationContext("m", "r", "made up", "test", 0, threshold), found)


def bare(score: float) -> tuple[str, list[float]]:
    return "no_mask", [1 - score, score]


def masked(score: float) -> tuple[str, list[float]]:
    return "mask", [1 - score, score]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=4, max_size=40))
def test_figures_are_sklearns(pairs: list[tuple[int, int]]) -> None:
    truth, said = (np.array(column) for column in zip(*pairs, strict=True))
    scores = 0.2 + 0.6 * np.eye(3)[said] / 2
    found = evaluation(
        answers(THREE, [(THREE[t], list(row)) for t, row in zip(truth, scores, strict=True)])
    )
    here = sorted(set(truth))
    expected = precision_recall_fscore_support(
        truth, said, labels=here, average="macro", zero_division=0
    )[:3]
    means = [found.macro.precision, found.macro.recall, found.macro.f1]
    assert [mean.value for mean in means if mean] == pytest.approx(expected)
    assert found.accuracy.value == pytest.approx(found.figures.accuracy)
    for label, each in found.by_label.items():
        plain = found.figures.by_label[label]
        for estimate, value in (
            (each.precision, plain.precision),
            (each.recall, plain.recall),
            (each.f1, plain.f1),
        ):
            assert (0 if estimate is None else estimate.value) == pytest.approx(value)
        positive = truth == THREE.index(label)
        if each.auc is not None:
            ranked = scores[:, THREE.index(label)]
            assert each.auc.value == pytest.approx(roc_auc_score(positive, ranked), abs=1e-6)
        else:
            assert len(set(positive)) == 1


def test_json_is_plain_and_has_no_nan() -> None:
    one_sided = evaluation(answers(TWO, [masked(0.1), masked(0.2)]), None)
    text = json.dumps(dataclasses.asdict(one_sided), allow_nan=False)
    told = json.loads(text)
    assert told["by_label"]["no_mask"]["auc"] is None
    assert told["alerts"] is None
    assert told["figures"]["count"] == 2


def test_alerts_count_each_true_label_and_those_that_the_model_lacks() -> None:
    faces = [bare(0.9), bare(0.4), masked(0.1), masked(0.6), masked(0.2), masked(0.3)]
    wrong = ("incorrect_mask", [0.2, 0.8])
    found = evaluation(answers(TWO, [*faces, wrong, wrong]))
    assert found.figures.count == 6
    assert found.alerts is not None
    assert (found.alerts.bare_flagged, found.alerts.masked_flagged) == (0.5, 0.25)
    flagged = found.alerts.flagged["incorrect_mask"]
    assert (flagged.value, flagged.count) == (1.0, 2)
    exact = found.alerts_at_2_percent
    assert exact is not None
    assert (exact.masked_flagged, exact.bare_flagged) == (0, 0.5)
    assert exact.flagged["no_mask"].value == 0.5
    assert exact.flagged["no_mask"].count == 2


def test_a_chosen_threshold_is_tried_here() -> None:
    found = evaluation_of(
        EvaluationContext("m", "r", "d", "test", 0, None),
        answers(TWO, [bare(0.9), bare(0.4), masked(0.35), masked(0.1)]),
        ChosenThreshold(0.3, 0.02, ["d"], 50),
    )
    assert found.alerts is None
    assert found.alerts_at_chosen is not None
    assert found.alerts_at_chosen.bare_flagged == 1.0
    assert found.alerts_at_chosen.masked_flagged == 0.5


def test_slices_part_the_faces_by_size_and_light() -> None:
    faces = [bare(0.9), bare(0.1), masked(0.2), masked(0.8), bare(0.7)]
    found = evaluation(
        answers(TWO, faces, width_px=[30, 30, 50, 39.9, 500], luma=[10, 120, 200, 79.9, 150])
    )
    told = {way: {each.name: each for each in of} for way, of in found.slices.items()}
    assert set(told) == {"width", "brightness"}
    sizes = {
        name: (each.accuracy.value, each.accuracy.count)
        for name, each in told["width"].items()
        if each.accuracy
    }
    assert sizes == {
        "under 40 px": (pytest.approx(1 / 3), 3),
        "40 to 64 px": (1.0, 1),
        "160 px and more": (1.0, 1),
    }
    assert told["width"]["under 40 px"].flagged["no_mask"].value == 0.5
    light = {
        name: each.accuracy.count for name, each in told["brightness"].items() if each.accuracy
    }
    assert light == {"dark (under 80)": 2, "medium": 1, "bright (150 and more)": 2}


@given(st.lists(st.floats(0, 1000, width=32), min_size=1))
def test_every_face_is_in_one_band(values: list[float]) -> None:
    found = value_bands(np.array(values, np.float32), (40.0, 64.0, 96.0), "px")
    assert (np.sum(list(found.values()), axis=0) == 1).all()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("00001_Mask.jpg", "worn correctly"),
        ("01001_Mask_Mouth_Chin.jpg", "nose bare"),
        ("01001_Mask_Nose_Mouth.png", "chin bare"),
        ("01001_Mask_Chin.jpg", "under the chin"),
        ("00002.jpg", None),
        ("portrait_Mask.jpg", None),
        ("12_Mask_Hat.jpg", None),
    ],
)
def test_a_name_says_how_the_mask_is_drawn(name: str, kind: str | None) -> None:
    assert mask_kind(name) == kind


def test_kinds_of_masks_are_told_apart_also_when_the_model_lacks_their_label() -> None:
    faces = [masked(0.1), masked(0.2), bare(0.9), *[("incorrect_mask", [0.3, 0.7])] * 3]
    names = ["1_Mask.jpg", "2.jpg", "3.jpg", "4_Mask_Chin.jpg", "5_Mask_Mouth_Chin.jpg", "6.jpg"]
    kinds = {each.name: each for each in evaluation(answers(TWO, faces, names)).slices["kind"]}
    correct = kinds["worn correctly"].accuracy
    assert correct is not None
    assert correct.count == 2
    assert list(kinds) == [
        "worn correctly",
        "nose bare",
        "under the chin",
        "incorrectly, unknown how",
    ]
    assert kinds["nose bare"].accuracy is None
    assert kinds["nose bare"].flagged["incorrect_mask"].value == 1.0


def test_several_data_sets_are_pooled_and_told_apart() -> None:
    one, other = answers(TWO, [bare(0.9), bare(0.2)]), answers(TWO, [masked(0.1)], ["x.png"])
    other = dataclasses.replace(other, sources=("other",))
    found = evaluation(pool([one, other]))
    assert found.pictures == 3
    by_source = {each.name: each.accuracy for each in found.slices["source"]}
    assert {name: each.value for name, each in by_source.items() if each} == {
        "made up": 0.5,
        "other": 1.0,
    }


def test_the_text_says_figures_intervals_and_faces() -> None:
    faces = [bare(0.9), bare(0.8), bare(0.2), masked(0.1), masked(0.3)]
    lines = list(report_lines(evaluation(answers(TWO, faces))))
    assert lines[0] == "m with r on made up (test)"
    assert lines[1].startswith("accuracy   0.8000 [")
    assert lines[1].endswith("] over 5 faces, 0 left out")
    assert any(line.startswith("no_mask against the others: area under ROC") for line in lines)
    assert any("66.7% [" in line and "0.0% [0.0, " in line for line in lines)
    assert max(map(len, lines)) <= 125
