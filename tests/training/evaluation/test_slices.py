"""Slices by width, brightness, data set and kind of mask."""

from __future__ import annotations

import dataclasses
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.training.predictions import bare, evaluation, masked, predictions
from training.data.datasets import LABELS
from training.evaluation.altered_faces import ALTERATIONS
from training.evaluation.predictions import pool
from training.evaluation.slices import mask_kind, value_bands

TWO, THREE = LABELS[2], LABELS[3]


def test_slices_by_width_and_brightness() -> None:
    faces = [bare(0.9), bare(0.1), masked(0.2), masked(0.8), bare(0.7)]
    found = evaluation(
        predictions(TWO, faces, width_px=[30, 30, 50, 39.9, 500], luma=[10, 120, 200, 79.9, 150])
    )
    slices_by_name = {
        grouping: {each.name: each for each in named} for grouping, named in found.slices.items()
    }
    assert set(slices_by_name) == {"width", "brightness"}
    sizes = {
        name: (each.accuracy.value, each.accuracy.count)
        for name, each in slices_by_name["width"].items()
        if each.accuracy
    }
    assert sizes == {
        "under 40 px": (pytest.approx(1 / 3), 3),
        "40 to 64 px": (1.0, 1),
        "160 px and more": (1.0, 1),
    }
    assert slices_by_name["width"]["under 40 px"].flagged["no_mask"].value == 0.5
    light = {
        name: each.accuracy.count
        for name, each in slices_by_name["brightness"].items()
        if each.accuracy
    }
    assert light == {"dark (under 80)": 2, "medium": 1, "bright (150 and more)": 2}


def test_slices_by_skin_tone_hold_bare_faces_in_colour() -> None:
    faces = [bare(0.9), bare(0.1), bare(0.9), bare(0.9), masked(0.2)]
    found = dataclasses.replace(
        predictions(TWO, faces), skin_angle=np.array([50, 50, -20, np.nan, 50], np.float32)
    )
    tones = {each.name.split()[2]: each for each in evaluation(found).slices["skin"]}
    assert {
        name: (each.flagged["no_mask"].value, each.flagged["no_mask"].count)
        for name, each in tones.items()
    } == {"light": (0.5, 2), "dark": (1.0, 1)}
    assert all("mask" not in each.flagged for each in tones.values())


def test_altered_faces_have_their_own_scores() -> None:
    box = (0.0, 0.0, 50.0, 50.0)
    found = predictions(TWO, [bare(0.9), bare(0.9), masked(0.1)])
    boxed = tuple(
        dataclasses.replace(sample, box_px=box if index else None)
        for index, sample in enumerate(found.samples)
    )
    nothing = [np.nan, np.nan]
    altered = {name: np.full((3, 2), np.nan, np.float32) for name in chain(*ALTERATIONS.values())}
    altered["turned grey"] = np.array([[0.6, 0.4], [0.2, 0.8], [0.9, 0.1]], np.float32)
    altered["box moved up by 15%"] = np.array([nothing, [0.7, 0.3], [0.7, 0.3]], np.float32)
    found = dataclasses.replace(found, samples=boxed, altered=altered)
    slices = evaluation(found).slices
    colour = {each.name: each for each in slices["colour"]}
    framing = {each.name: each for each in slices["framing"]}
    assert list(colour) == ["photographed in colour", "turned grey"]
    assert colour["photographed in colour"].flagged["no_mask"].value == 1.0
    assert (colour["turned grey"].flagged["no_mask"].value) == 0.5
    error = colour["turned grey"].ece
    assert error is not None
    assert (error.value, error.count) == (pytest.approx((0.6 + 0.2 + 0.1) / 3), 3)
    assert list(framing) == ["box as the detector draws it", "box moved up by 15%"]
    accuracy = framing["box moved up by 15%"].accuracy
    assert accuracy is not None
    assert (accuracy.value, accuracy.count) == (0.5, 2)


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
def test_mask_kind_from_file_name(name: str, kind: str | None) -> None:
    assert mask_kind(name) == kind


def test_kinds_include_labels_that_model_lacks() -> None:
    faces = [masked(0.1), masked(0.2), bare(0.9), *[("incorrect_mask", [0.3, 0.7])] * 3]
    names = ["1_Mask.jpg", "2.jpg", "3.jpg", "4_Mask_Chin.jpg", "5_Mask_Mouth_Chin.jpg", "6.jpg"]
    kinds = {each.name: each for each in evaluation(predictions(TWO, faces, names)).slices["kind"]}
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


def test_pooled_data_sets_are_slices() -> None:
    one, other = (
        predictions(TWO, [bare(0.9), bare(0.2)]),
        predictions(TWO, [masked(0.1)], ["x.png"]),
    )
    other = dataclasses.replace(other, sources=("other",))
    found = evaluation(pool([one, other]))
    assert found.pictures == 3
    by_source = {each.name: each.accuracy for each in found.slices["source"]}
    assert {name: each.value for name, each in by_source.items() if each} == {
        "made up": 0.5,
        "other": 1.0,
    }
