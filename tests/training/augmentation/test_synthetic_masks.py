"""Synthetic masks: where they are, their colours and their labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.common.arrays import Pixels
from tests.support.training.datasets import CLOTH, SKIN, plain_face
from training.augmentation.synthetic_masks import (
    CHIN_HEIGHT,
    CONTEXT,
    SIDE_PX,
    WEARING_STYLES,
    WearingStyle,
    transfer_mask,
    wearing_styles_for,
)
from training.data.crops import Face


def cloth(face: Face) -> Pixels:
    """Return which pixels in and below the detector's box show a mask: (height, side) booleans."""
    margin = round(CONTEXT * SIDE_PX)
    inside = face.image[margin:, margin : margin + SIDE_PX].astype(int)
    return np.asarray(inside[:, :, 2] > inside[:, :, 0])


@pytest.mark.parametrize("style", WEARING_STYLES, ids=lambda style: f"{style.label}-{style.top[0]}")
@given(seed=st.integers(0, 2**32))
@settings(max_examples=25)
def test_mask_starts_at_height_of_style(style: WearingStyle, seed: int) -> None:
    rng = np.random.default_rng(seed)
    bare, donor = plain_face(SKIN, "no_mask"), plain_face(CLOTH, "mask")
    worn = transfer_mask(bare, donor, style, rng, dyed_share=0.0)
    assert (worn.label, worn.annotated) == (style.label, False)
    covered = cloth(worn)
    nose = covered[:, SIDE_PX // 2]
    top = float(np.argmax(nose)) / SIDE_PX
    assert nose.any()
    assert style.top[0] - 0.03 <= top <= style.top[1] + 0.03
    assert not covered[: int(0.40 * SIDE_PX)].any(), "the mask must not cover the eyes"


@pytest.mark.slow
def test_some_masks_are_recoloured_some_like_skin() -> None:
    rightly, at = WEARING_STYLES[0], round((CONTEXT + 0.8) * SIDE_PX)
    colours = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        worn = transfer_mask(plain_face(SKIN, "no_mask"), plain_face(CLOTH, "mask"), rightly, rng)
        colours.append(worn.image[at, (round((CONTEXT + 0.5) * SIDE_PX))].astype(int))
    red, _, blue = np.array(colours).T
    blueish = (blue > 2 * red).mean()
    skin = (np.abs(red / blue - SKIN[0] / SKIN[2]) < 0.3).mean()
    assert 0.55 < blueish < 0.85
    assert 0.08 < skin < 0.35


def test_label_depends_on_bare_nose_and_mouth() -> None:
    bare = {style: (style.top[0] > 0.62, style.top[0] > 0.80) for style in WEARING_STYLES}
    assert {style.label for style, (nose, _) in bare.items() if not nose} == {"mask"}
    worn_wrongly = [
        style for style, (nose, _) in bare.items() if nose and style.top[0] < CHIN_HEIGHT
    ]
    assert {style.label for style in worn_wrongly} == {"incorrect_mask"}
    assert any(mouth for _, mouth in bare.values())
    assert {style.label for style in WEARING_STYLES if style.top[0] >= CHIN_HEIGHT} == {"no_mask"}


def test_two_classes_have_no_incorrect_styles() -> None:
    assert {style.label for style in wearing_styles_for(("mask", "no_mask"))} == {"mask", "no_mask"}
    assert wearing_styles_for(("mask", "no_mask", "incorrect_mask")) == WEARING_STYLES
