"""The pictures that the conversion of a face detector uses: letterboxed training pictures for
ranges, test pictures for figures, or drawings where there is no data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from convert.synthetic_inputs import drawn_inputs
from edge.common.arrays import Pixels
from edge.common.errors import UserError
from edge.detection.point_grid import InputSize
from training.data.progress import with_progress
from training.data.splits import Split
from training.face_detector.pictures.boxed_pictures import BoxedPicture, BoxKind, read_pixels
from training.face_detector.pictures.read_pictures import of_split
from training.face_detector.validation_pictures import ValidationPictures, read_validation_pictures
from training.face_detector.views.composition import letterbox

#: Number of training pictures from which ranges are computed, evenly spread over all.
RANGE_PICTURES = 400
#: Drawings are scenes with faces of these widths in pixels.
DRAWINGS, DRAWN_WIDTHS = 60, (40, 64, 96, 140)
SEED = 21


@dataclass(frozen=True)
class DetectorCheckSet:
    """The pictures on which Keras and its conversions are compared.

    `pixels`: (n, height, width, 1) uint8 luma. `held`: the same pictures with their faces, or None
    for drawings. `description`: a readable description.
    """

    description: str
    pixels: Pixels
    held: ValidationPictures | None


def range_pictures(pictures: Sequence[BoxedPicture], size: InputSize) -> Pixels:
    """Return letterboxed training pictures, (n, height, width, 1) uint8 luma."""
    training = of_split(list(pictures), Split.TRAIN)
    if not training:
        raise UserError("no training picture to compute activation ranges from")
    count = min(RANGE_PICTURES, len(training))
    chosen = [training[i * len(training) // count] for i in range(count)]
    read = with_progress(chosen, "reading training pictures", "picture")
    return np.stack([letterbox(read_pixels(each, 1), size)[0].reshape(size.shape) for each in read])


def detector_check_set(pictures: Sequence[BoxedPicture], size: InputSize) -> DetectorCheckSet:
    """Return the test pictures of `pictures`, or drawings if there are none."""
    test = of_split(list(pictures), Split.TEST)
    if not any(each.of_kind(BoxKind.FACE) for each in test):
        return DetectorCheckSet(f"{DRAWINGS} drawings", drawn_scenes(DRAWINGS, size), None)
    held = read_validation_pictures(test, size)
    return DetectorCheckSet(f"{len(test)} test pictures", held.pixels, held)


def drawn_scenes(count: int, size: InputSize) -> Pixels:
    """Return drawings of faces, (count, height, width, 1) uint8, always the same."""
    rng = np.random.default_rng(SEED)
    scenes = []
    for index in range(count):
        corners = rng.integers(0, 256, (3, 4), np.uint8)
        scene = np.asarray(cv2.resize(corners, (size.width, size.height)), np.uint8)
        for width in rng.permutation(DRAWN_WIDTHS)[: 1 + index % 3]:
            face = cv2.cvtColor(drawn_inputs(1 + index, int(width))[index], cv2.COLOR_RGB2GRAY)
            left = int(rng.integers(0, size.width - width))
            top = int(rng.integers(0, max(1, size.height - width)))
            part = scene[top : top + width, left : left + width]
            part[...] = face[: part.shape[0], : part.shape[1]]
        scenes.append(scene[..., None])
    return np.stack(scenes)
