"""The same faces as another camera, or another box of the detector, would show them.

Data sets hold few pictures that are grey or taken without an infrared filter, and the boxes of
their faces say little about how far a detector's box may be off. Therefore each face is also
evaluated with its colours or its box changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from edge.classification.face_crop import crop_face
from edge.common.arrays import Pixels
from training.augmentation.colour import add_infrared, to_grey
from training.data.crops import detector_box, evaluation_crop
from training.data.datasets import Sample
from training.data.detector_simulation import MARGIN
from training.network.model import SIZE_PX

#: The strength and the gamma of the cast, in the middle of what the training draws.
INFRARED = 1.0, 0.6
COLOURS: Mapping[str, Callable[[Pixels], Pixels]] = {
    "turned grey": to_grey,
    "with an infrared cast": lambda pixels: add_infrared(pixels, *INFRARED),
}
#: Moves to the right and down, in sides of the detector's box, and the factor of its side. They are
#: about twice the standard deviations that `training.data.detector_simulation` states.
FRAMINGS: Mapping[str, tuple[float, float, float]] = {
    "box a quarter smaller": (0.0, 0.0, 0.75),
    "box a third larger": (0.0, 0.0, 1.33),
    "box moved aside by 15%": (0.15, 0.0, 1.0),
    "box moved up by 15%": (0.0, -0.15, 1.0),
    "box moved down by 15%": (0.0, 0.15, 1.0),
}
#: The names of the alterations, by the grouping of the slices that they make.
ALTERATIONS: Mapping[str, tuple[str, ...]] = {
    "colour": tuple(COLOURS),
    "framing": tuple(FRAMINGS),
}


def altered_crops(sample: Sample, image: Pixels) -> Iterator[tuple[str, Pixels]]:
    """Yield the name of each alteration, and the altered crop of the face, (96, 96, 3) uint8 RGB.

    The box is changed only of a face that has one, annotated or found: other pictures are crops. A
    box that would lie outside the picture is left out. `sample` must be wide enough to be
    evaluated.
    """
    crop = evaluation_crop(sample, image)
    assert crop is not None
    for name, change in COLOURS.items():
        yield name, change(crop)
    found = detector_box(sample)
    if found is None:
        return
    x, y, width, height = found
    side = max(width, height)
    for name, (right, down, factor) in FRAMINGS.items():
        centre_x, centre_y = x + width / 2 + right * side, y + height / 2 + down * side
        half = factor * side / 2
        box = centre_x - half, centre_y - half, 2 * half, 2 * half
        try:
            altered = crop_face(image, box, MARGIN, (SIZE_PX, SIZE_PX))
        except ValueError:
            continue
        yield name, altered
