"""Bare faces with the mask of another face: worn correctly, under the nose, under the mouth, or as
a collar.

Photographs of incorrectly worn masks are few. The cloth, its light and its seams come from a real
masked face; only the place of the upper edge is chosen here. Correctly worn masks are among the
synthetic ones, so that a synthetic mask as such says nothing about the label.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.common.arrays import Pixels
from training.data.crops import Face

Rng = np.random.Generator
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class WearingStyle:
    """A way to wear a mask.

    `label`: the label of a face that wears a mask in this way. `top`: the lowest and the highest
    position of the upper edge at the nose, as fractions of the height of the detector's box.
    `share`: the share of this style among all synthetic masks.
    """

    label: str
    top: tuple[float, float]
    share: float


#: In a frontal box of haarcascade_frontalface_alt2 the eyes are at 0.38 of its height, the tip of
#: the nose at 0.62, the mouth at 0.78 and the chin at about 1.
WEARING_STYLES = (
    WearingStyle("mask", (0.44, 0.54), 0.40),
    WearingStyle("incorrect_mask", (0.66, 0.71), 0.30),  # The nose is bare.
    WearingStyle("incorrect_mask", (0.82, 0.90), 0.12),  # Nose and mouth are bare.
    WearingStyle("no_mask", (1.03, 1.15), 0.18),  # A collar or a scarf, which is not a mask.
)
#: Upper edge of the donor's mask when it is worn correctly.
CORRECT_TOP = 0.50
CHIN_HEIGHT = 1.0
SIDE_PX = 120  # Side to which the detector's box is scaled.
CONTEXT = 0.45  # Margin around the box, in box sides.
# Share of the masks that are recoloured, so that the model does not take a pink mask for skin.
DYED_SHARE = 0.35


def wearing_styles_for(labels: tuple[str, ...]) -> tuple[WearingStyle, ...]:
    """Return the wearing styles whose label is one of `labels`."""
    return tuple(style for style in WEARING_STYLES if style.label in labels)


def transfer_mask(
    bare: Face, donor: Face, style: WearingStyle, rng: Rng, dyed_share: float = DYED_SHARE
) -> Face:
    """Return `bare` with the mask of `donor`, worn in `style` and labelled accordingly.

    The detector must have drawn the boxes of both faces.
    """
    face, mask = _align(bare), _align(donor)
    top = float(rng.uniform(*style.top))
    # The mask is moved down by a random part of the distance, so that its upper edge is either the
    # donor's own seam or a cut through the cloth.
    lowered = float(rng.uniform(0.0, 1.1)) * max(0.0, top - CORRECT_TOP)
    mask = _move_down(mask, lowered)
    lit = _match_brightness(mask, face)
    if rng.random() < dyed_share:
        lit = _dye(lit, face, rng)
    cover = (_mask_alpha(top, rng) if top < CHIN_HEIGHT else _collar_alpha(top, rng))[:, :, None]
    worn = face * (1 - cover) + lit * cover
    margin = CONTEXT * SIDE_PX
    box = (margin, margin, float(SIDE_PX), float(SIDE_PX))
    return Face(np.clip(worn, 0, 255).astype(np.uint8), box, style.label, annotated=False)


def _align(face: Face) -> Pixels:
    """Return the picture of `face`, scaled and shifted so that its box is at a fixed place."""
    x, y, w, h = face.box_px
    margin = CONTEXT * SIDE_PX
    matrix = np.array(
        [[SIDE_PX / w, 0, margin - x * SIDE_PX / w], [0, SIDE_PX / h, margin - y * SIDE_PX / h]]
    )
    size = round(SIDE_PX * (1 + 2 * CONTEXT))
    warped = cv2.warpAffine(
        face.image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(warped, np.uint8)


def _move_down(picture: Pixels, by: float) -> Pixels:
    matrix = np.array([[1.0, 0, 0], [0, 1.0, by * SIDE_PX]])
    height, width = picture.shape[:2]
    moved = cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


def _match_brightness(picture: Pixels, like: Pixels) -> Floats:
    """Return `picture` scaled to the brightness of `like`, measured at eyes and forehead."""
    rows = slice(_pixel_at(0.15), _pixel_at(0.42))
    columns = slice(_pixel_at(0.2), _pixel_at(0.8))
    ratio = (like[rows, columns].mean() + 8) / (picture[rows, columns].mean() + 8)
    return picture.astype(np.float32) * np.float32(np.clip(ratio, 0.5, 1.8))


def _dye(cloth: Floats, face: Pixels, rng: Rng) -> Floats:
    """Return `cloth` in another colour: in half of the cases, in that of the skin that it hides."""
    rows, columns = slice(_pixel_at(0.60), _pixel_at(0.95)), slice(_pixel_at(0.3), _pixel_at(0.7))
    mean_colour = cloth[rows, columns].mean(axis=(0, 1)) + 4
    if rng.random() < 0.5:
        skin = face[_pixel_at(0.42) : _pixel_at(0.58), columns].mean(axis=(0, 1))
        wanted = skin * rng.uniform(0.85, 1.2) * np.exp(rng.normal(0, 0.06, 3))
    else:
        wanted = rng.uniform(20, 240, 3)
    return cloth * np.asarray(wanted / mean_colour, np.float32)


def _mask_alpha(top: float, rng: Rng) -> Floats:
    """Return the opacity of the mask, 0 to 1, at each pixel: from `top` at the nose to the jaw."""
    sag = float(rng.uniform(0.0, 0.08))  # the edge is lower towards the ears
    tilt = float(rng.normal(0, 0.015))
    low = max(1.06, top + 0.22) + float(rng.uniform(-0.03, 0.06))
    outline = np.array(
        [
            (0.10, top + sag - tilt),
            (0.30, top + 0.02 - tilt / 2),
            (0.50, top),
            (0.70, top + 0.02 + tilt / 2),
            (0.90, top + sag + tilt),
            (0.87, max(0.78, top + 0.10)),
            (0.74, low - 0.08),
            (0.50, low),
            (0.26, low - 0.08),
            (0.13, max(0.78, top + 0.10)),
        ]
    )
    size = round(SIDE_PX * (1 + 2 * CONTEXT))
    cover = np.zeros((size, size), np.float32)
    points = np.round((outline + CONTEXT) * SIDE_PX).astype(np.int32)
    cv2.fillPoly(cover, [points], (1.0,), cv2.LINE_8)
    soft = cv2.GaussianBlur(cover, (0, 0), float(rng.uniform(0.8, 2.0)))
    return np.asarray(soft, np.float32)


def _collar_alpha(top: float, rng: Rng) -> Floats:
    """Return the opacity of cloth under the chin, from shoulder to shoulder, higher at the ears."""
    size = round(SIDE_PX * (1 + 2 * CONTEXT))
    rise = float(rng.uniform(-0.05, 0.30))
    outline = np.array(
        [
            (-CONTEXT, top - rise),
            (0.15, top - rise),
            (0.35, top - 0.02),
            (0.50, top),
            (0.65, top - 0.02),
            (0.85, top - rise),
            (1 + CONTEXT, top - rise),
            (1 + CONTEXT, 1 + CONTEXT),
            (-CONTEXT, 1 + CONTEXT),
        ]
    )
    cover = np.zeros((size, size), np.float32)
    points = np.round((outline + CONTEXT) * SIDE_PX).astype(np.int32)
    cv2.fillPoly(cover, [points], (1.0,), cv2.LINE_8)
    return np.asarray(cv2.GaussianBlur(cover, (0, 0), float(rng.uniform(0.8, 2.5))), np.float32)


def _pixel_at(fraction: float) -> int:
    return round((CONTEXT + fraction) * SIDE_PX)
