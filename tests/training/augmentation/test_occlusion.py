"""Objects in front of faces: where they are, and what they leave visible."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.common.arrays import Pixels
from tests.support.training.datasets import SKIN
from training.augmentation.occlusion import CHIN, EYES, MOUTH, NOSE, occlude
from training.network.model import SIZE_PX


def changed(bare: bool, seed: int) -> Pixels:
    picture = np.full((SIZE_PX, SIZE_PX, 3), SKIN, np.uint8)
    after = occlude(picture, bare, np.random.default_rng(seed))
    assert (after.shape, after.dtype) == ((SIZE_PX, SIZE_PX, 3), np.uint8)
    assert (picture == SKIN).all(), "the original picture must not change"
    return np.asarray(np.abs(after.astype(int) - picture).max(axis=2) > 20)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=120)
def test_occlusion_leaves_masks_mostly_visible(seed: int) -> None:
    hidden = changed(False, seed)
    lower = hidden[NOSE:CHIN, SIZE_PX // 4 : 3 * SIZE_PX // 4]
    assert lower.mean() < 0.5


def test_hands_and_beards_cover_only_bare_faces() -> None:
    mouth = slice(MOUTH - 8, CHIN), slice(SIZE_PX // 2 - 16, SIZE_PX // 2 + 16)
    much = [sum(changed(bare, seed)[mouth].mean() > 0.45 for seed in range(200)) for bare in (0, 1)]
    assert much[0] == 0
    assert much[1] > 10


def test_glasses_cover_the_eyes() -> None:
    eyes = slice(EYES - 6, EYES + 8), slice(SIZE_PX // 2 - 34, SIZE_PX // 2 + 34)
    assert sum(changed(False, seed)[eyes].mean() > 0.3 for seed in range(200)) > 10
