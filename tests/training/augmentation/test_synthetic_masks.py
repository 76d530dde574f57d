"""Masks put on bare faces, and things in front of them: where they lie and what stays bare."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.common.arrays import Pixels
from training.augmentation.occlusion import CHIN, EYES, MOUTH, NOSE, occlude
from training.augmentation.synthetic_masks import (
    CHIN_HEIGHT,
    CONTEXT,
    SIDE_PX,
    WEARING_STYLES,
    transfer_mask,
    wearing_styles_for,
)
from training.data.crops import Face
from training.fit.batches import Floats, MaskTransfer, TrainingSet
from training.network.model import SIZE_PX

SKIN, CLOTH = (200, 150, 120), (40, 90, 220)
BOX = (10.0, 20.0, 100.0, 100.0)


def plain(colour: tuple[int, int, int], label: str) -> Face:
    return Face(np.full((140, 120, 3), colour, np.uint8), BOX, label, annotated=False)


def cloth(face: Face) -> Pixels:
    """Where the mask lies, in the detector's box and below it: (height, side) booleans."""
    margin = round(CONTEXT * SIDE_PX)
    inside = face.image[margin:, margin : margin + SIDE_PX].astype(int)
    return np.asarray(inside[:, :, 2] > inside[:, :, 0])


@pytest.mark.parametrize("way", WEARING_STYLES, ids=lambda way: f"{way.label}-{way.top[0]}")
@given(seed=st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_a_mask_begins_where_its_way_says(way: int, seed: int) -> None:
    assert not isinstance(way, int)
    rng = np.random.default_rng(seed)
    with patch("training.augmentation.synthetic_masks.DYED_SHARE", 0):
        worn = transfer_mask(plain(SKIN, "no_mask"), plain(CLOTH, "mask"), way, rng)
    assert (worn.label, worn.annotated) == (way.label, False)
    covered = cloth(worn)
    nose = covered[:, SIDE_PX // 2]
    top = float(np.argmax(nose)) / SIDE_PX
    assert nose.any()
    assert way.top[0] - 0.03 <= top <= way.top[1] + 0.03
    assert not covered[: int(0.40 * SIDE_PX)].any(), "the eyes stay free"


def test_some_masks_are_dyed_and_some_of_these_like_skin() -> None:
    rightly, at = WEARING_STYLES[0], round((CONTEXT + 0.8) * SIDE_PX)
    colours = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        worn = transfer_mask(plain(SKIN, "no_mask"), plain(CLOTH, "mask"), rightly, rng)
        colours.append(worn.image[at, (round((CONTEXT + 0.5) * SIDE_PX))].astype(int))
    red, _, blue = np.array(colours).T
    blueish = (blue > 2 * red).mean()
    skin = (np.abs(red / blue - SKIN[0] / SKIN[2]) < 0.3).mean()
    assert 0.55 < blueish < 0.85
    assert 0.08 < skin < 0.35


def test_the_ways_are_told_apart_by_the_nose_and_the_mouth() -> None:
    bare = {way: (way.top[0] > 0.62, way.top[0] > 0.80) for way in WEARING_STYLES}
    assert {way.label for way, (nose, _) in bare.items() if not nose} == {"mask"}
    worn_wrongly = [way for way, (nose, _) in bare.items() if nose and way.top[0] < CHIN_HEIGHT]
    assert {way.label for way in worn_wrongly} == {"incorrect_mask"}
    assert any(mouth for _, mouth in bare.values())
    assert {way.label for way in WEARING_STYLES if way.top[0] >= CHIN_HEIGHT} == {"no_mask"}


def test_a_model_that_knows_no_wrong_way_sees_only_masks_put_on_rightly() -> None:
    assert {way.label for way in wearing_styles_for(("mask", "no_mask"))} == {"mask", "no_mask"}
    assert wearing_styles_for(("mask", "no_mask", "incorrect_mask")) == WEARING_STYLES


def targets(*labels: str) -> dict[str, Floats]:
    return {label: np.eye(len(labels), dtype=np.float32)[i] for i, label in enumerate(labels)}


def dressed_set(share: float) -> TrainingSet:
    faces = [plain(SKIN, "no_mask")] * 64
    labels = ("mask", "no_mask", "incorrect_mask")
    mask_transfer = MaskTransfer([plain(CLOTH, "mask")], WEARING_STYLES, targets(*labels), share)
    bare = np.tile(targets(*labels)["no_mask"], (64, 1))
    return TrainingSet(faces, bare, np.full(64, 5.0, np.float32), np.ones(64), mask_transfer)


def test_a_look_with_a_mask_put_on_has_the_target_of_how_it_is_worn() -> None:
    ((_, shares, weights),) = dressed_set(1.0).epoch(1, 0, 64)
    counts = shares.sum(axis=0)
    assert counts[0] > counts[1] > 0
    assert counts[2] > counts[1]
    assert (weights == 1).all()
    ((_, shares, weights),) = dressed_set(0.0).epoch(1, 0, 64)
    assert (shares[:, 1] == 1).all()
    assert (weights == 5).all()


def test_a_look_is_decided_by_its_place_alone_and_leaves_the_set_as_it_was() -> None:
    data = dressed_set(0.5)
    first, again = list(data.epoch(7, 3, 16)), list(data.epoch(7, 3, 16))
    for one, two in zip(first, again, strict=True):
        for left, right in zip(one, two, strict=True):
            np.testing.assert_array_equal(left, right)
    assert (data.targets[:, 1] == 1).all()
    assert (data.weights == 5).all()


def test_annotated_faces_are_left_as_they_are() -> None:
    face = Face(np.full((140, 120, 3), SKIN, np.uint8), BOX, "no_mask", annotated=True)
    mask_transfer = dressed_set(1.0).mask_transfer
    assert mask_transfer is not None
    assert mask_transfer.sample(face, np.random.default_rng(0)) is None
    assert mask_transfer.sample(plain(SKIN, "mask"), np.random.default_rng(0)) is None


def changed(bare: bool, seed: int) -> Pixels:
    picture = np.full((SIZE_PX, SIZE_PX, 3), SKIN, np.uint8)
    after = occlude(picture, bare, np.random.default_rng(seed))
    assert (after.shape, after.dtype) == ((SIZE_PX, SIZE_PX, 3), np.uint8)
    assert (picture == SKIN).all(), "the picture itself is left alone"
    return np.asarray(np.abs(after.astype(int) - picture).max(axis=2) > 20)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=120, deadline=None)
def test_nothing_hides_mouth_and_nose_of_a_masked_face_so_that_it_could_be_bare(seed: int) -> None:
    hidden = changed(False, seed)
    lower = hidden[NOSE:CHIN, SIZE_PX // 4 : 3 * SIZE_PX // 4]
    assert lower.mean() < 0.5


def test_hands_and_beards_come_over_bare_faces_only() -> None:
    mouth = slice(MOUTH - 8, CHIN), slice(SIZE_PX // 2 - 16, SIZE_PX // 2 + 16)
    much = [sum(changed(bare, seed)[mouth].mean() > 0.45 for seed in range(200)) for bare in (0, 1)]
    assert much[0] == 0
    assert much[1] > 10


def test_glasses_lie_over_the_eyes() -> None:
    eyes = slice(EYES - 6, EYES + 8), slice(SIZE_PX // 2 - 34, SIZE_PX // 2 + 34)
    assert sum(changed(False, seed)[eyes].mean() > 0.3 for seed in range(200)) > 10
