"""The skin tone of a bare face, estimated from its picture."""

from __future__ import annotations

import math

import cv2
import numpy as np

from edge.common.arrays import Pixels
from training.augmentation.colour import SKIN_HIGH, SKIN_LOW
from training.augmentation.occlusion import EYES, MIDDLE, MOUTH

#: Bands of the individual typology angle, in degrees. Each band joins two of the six usual ones
#: (Chardon and others, "Skin colour typology and suntanning pathways", 1991).
DARK_BELOW, LIGHT_ABOVE = 10.0, 41.0
SKIN_TONES = (
    ("skin tone light (angle over 41)", LIGHT_ABOVE, 90.1),
    ("skin tone medium (10 to 41)", DARK_BELOW, LIGHT_ABOVE),
    ("skin tone dark (under 10)", -90.0, DARK_BELOW),
)
#: Where skin is looked for: the rows and columns from the forehead to the mouth.
MIDDLE_OF_FACE = slice(EYES - 8, MOUTH), slice(MIDDLE - 22, MIDDLE + 22)
#: The smallest share of the middle of the face that must have the colour of skin. Hair, caps,
#: sunglasses, or coloured light leave less, and their colour would be taken for dark skin.
MIN_SKIN = 1 / 3
#: A crop is grey if the colours of its pixels differ from grey by less than this on average, of
#: 255: JPEG compression and scaling of a grey picture leave less.
MAX_GREY_CHROMA = 2.0


def skin_angle(crop: Pixels) -> float:
    """Return the individual typology angle of the skin of a face, in degrees, or NaN if unknown.

    The angle is atan((L - 50) / b) in CIE L*a*b* of the median colour of the skin in the middle of
    `crop`, (96, 96, 3) uint8 RGB. The angle is higher for lighter skin, but light and white balance
    shift the angle as well. It is unknown if less than `MIN_SKIN` has the colour of skin.
    """
    middle = np.ascontiguousarray(crop[MIDDLE_OF_FACE])
    chroma = cv2.cvtColor(middle, cv2.COLOR_RGB2YCrCb)
    is_skin = cv2.inRange(chroma, SKIN_LOW, SKIN_HIGH) > 0
    if is_skin.mean() < MIN_SKIN:
        return math.nan
    lab = cv2.cvtColor(middle.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lightness, _, yellow = np.median(lab[is_skin], axis=0)
    return math.degrees(math.atan2(float(lightness) - 50, max(float(yellow), 1e-3)))


def is_grey(crop: Pixels) -> bool:
    """Return whether `crop`, (h, w, 3) uint8 RGB, has no colour."""
    wide = crop.astype(np.int16)
    return float((wide.max(axis=2) - wide.min(axis=2)).mean()) < MAX_GREY_CHROMA


def looks_dark(crop: Pixels) -> bool:
    """Return whether `crop`, (96, 96, 3) uint8 RGB, shows skin of the dark band."""
    return skin_angle(crop) < DARK_BELOW
