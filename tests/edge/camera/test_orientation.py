from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from edge.camera.orientation import UNTURNED, Orientation, describe
from edge.config.settings import CameraSettings

ORIENTATIONS = [Orientation(turns, mirror) for turns, mirror in product(range(4), (False, True))]
#: A picture without any symmetry.
PICTURE = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)


def reference(orientation: Orientation) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    turned = np.rot90(PICTURE, -orientation.quarter_turns)
    return turned[:, ::-1] if orientation.mirror else turned


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_picture_is_rotated_and_then_mirrored(orientation: Orientation) -> None:
    turned = orientation.apply(PICTURE)
    assert np.array_equal(turned, reference(orientation))
    assert turned.flags.c_contiguous
    assert np.array_equal(orientation.apply(PICTURE[:, :, 0]), reference(orientation)[:, :, 0])
    assert orientation.swaps_sides == (turned.shape[:2] != PICTURE.shape[:2])


@pytest.mark.parametrize(("earlier", "wanted"), list(product(ORIENTATIONS, ORIENTATIONS)))
def test_rest_of_an_orientation_completes_it(earlier: Orientation, wanted: Orientation) -> None:
    turned = wanted.since(earlier).apply(earlier.apply(PICTURE))
    assert np.array_equal(turned, reference(wanted))


def test_settings_are_degrees_clockwise() -> None:
    assert Orientation.of(CameraSettings()) == UNTURNED
    assert Orientation.of(CameraSettings(rotate=270, mirror=True)) == Orientation(3, True)
    # The upper left corner of the scene is at the upper right of a picture turned by 90 degrees.
    turned = Orientation.of(CameraSettings(rotate=90)).apply(PICTURE)
    assert turned[0, -1].tolist() == PICTURE[0, 0].tolist()


def test_description_follows_the_size() -> None:
    assert describe(UNTURNED) == ""
    assert describe(Orientation(3, True)) == ", rotated by 270 degrees and mirrored"
