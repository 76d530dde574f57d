"""The same faces with other colours and other boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge.classification.face_crop import crop_face
from edge.common.arrays import Box, Pixels
from training.data.crops import evaluation_crop
from training.data.datasets import Sample
from training.data.detector_simulation import MARGIN, box_of_annotation
from training.data.splits import Split
from training.evaluation.altered_faces import ALTERATIONS, COLOURS, FRAMINGS, altered_crops

FACE: Box = (80.0, 60.0, 60.0, 70.0)


def photograph() -> Pixels:
    rng = np.random.default_rng(3)
    return rng.integers(0, 256, (200, 240, 3)).astype(np.uint8)


def sample(box: Box | None) -> Sample:
    return Sample(Path("a.png"), "mask", Split.TEST, box)


def test_colours_of_every_face_are_altered() -> None:
    picture = photograph()
    found = dict(altered_crops(sample(None), picture))
    assert tuple(found) == ALTERATIONS["colour"] == tuple(COLOURS)
    grey = found["turned grey"]
    assert (grey == grey[..., :1]).all()
    assert not np.array_equal(grey, evaluation_crop(sample(None), picture))


def test_boxes_of_boxed_faces_are_altered() -> None:
    picture = photograph()
    found = dict(altered_crops(sample(FACE), picture))
    assert set(found) == {*COLOURS, *FRAMINGS}
    x, y, side, _ = box_of_annotation(FACE)
    down = crop_face(picture, (x, y + 0.15 * side, side, side), MARGIN, (96, 96))
    smaller = crop_face(
        picture, (x + side / 8, y + side / 8, 0.75 * side, 0.75 * side), MARGIN, (96, 96)
    )
    assert np.array_equal(found["box moved down by 15%"], down)
    assert np.array_equal(found["box a quarter smaller"], smaller)


def test_box_outside_of_the_picture_is_left_out() -> None:
    at_edge = (-55.0, -62.0, 60.0, 70.0)  # a moved box still shows the corner of the picture
    gone = (-75.0, 60.0, 60.0, 70.0)
    assert "box moved up by 15%" in dict(altered_crops(sample(at_edge), photograph()))
    found = dict(altered_crops(sample(gone), photograph()))
    assert "box moved aside by 15%" in found
    assert "box a quarter smaller" not in found
