"""Hands, glasses, hoods and beards that hide a part of a face at a door, drawn over a crop."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from edge.common.arrays import Pixels
from training.data.detector_simulation import MARGIN
from training.network.model import SIZE_PX

Rng = np.random.Generator

#: Heights in a frontal crop in pixels, from fractions of the detector's box with its margin; see
#: `training.augmentation.synthetic_masks`.
EYES, NOSE, MOUTH, CHIN = (
    round(SIZE_PX * (MARGIN + height) / (1 + 2 * MARGIN)) for height in (0.38, 0.62, 0.78, 1.0)
)
MIDDLE = SIZE_PX // 2


def occlude(pixels: Pixels, bare: bool, rng: Rng) -> Pixels:
    """Return `pixels`, (96, 96, 3) uint8 RGB, with one object drawn in front of the face.

    Hands and beards are drawn only over `bare` faces, where a model could take them for a mask; the
    other objects are drawn over any face. None of them changes the label.
    """
    chance = rng.random()
    if bare and chance < 0.15:
        return add_hand(pixels, rng)
    if bare and chance < 0.35:
        return add_beard(pixels, rng)
    if chance < 0.60:
        return add_glasses(pixels, rng)
    if chance < 0.75:
        return add_hood(pixels, rng)
    return _add_patch(pixels, rng)


def _add_patch(pixels: Pixels, rng: Rng) -> Pixels:
    """Add a small rectangle of one colour, which is never large enough to pass for a mask."""
    height, width = rng.integers(6, SIZE_PX // 4, 2)
    x, y = rng.integers(0, SIZE_PX - width), rng.integers(0, SIZE_PX - height)
    covered = pixels.copy()
    covered[y : y + height, x : x + width] = rng.integers(0, 256, 3)
    return covered


def add_hand(pixels: Pixels, rng: Rng) -> Pixels:
    """Add fingers in front of the mouth or chin, in the skin colour of the same face."""
    skin = _median_colour(pixels[NOSE - 14 : NOSE - 4, MIDDLE - 14 : MIDDLE + 14])
    skin *= rng.uniform(0.75, 1.1)
    drawn = pixels.astype(np.float32)
    x, y = float(rng.uniform(20, 62)), float(rng.uniform(NOSE + 2, CHIN + 6))
    thick, lean = int(rng.integers(7, 12)), float(rng.uniform(-0.5, 0.5))
    cover = np.zeros((SIZE_PX, SIZE_PX), np.float32)
    shade = np.zeros_like(cover)
    for finger in range(int(rng.integers(2, 5))):
        start = (round(x + finger * thick * 0.2), round(y + finger * (thick + 1)))
        reach = float(rng.uniform(22, 44))
        end = (round(start[0] + reach), round(start[1] + reach * lean))
        cv2.line(cover, start, end, (1.0,), thick)
        above = ((start[0], start[1] - thick // 2), (end[0], end[1] - thick // 2))
        cv2.line(shade, *above, (1.0,), 1)
    return _alpha_blend(drawn, cover, skin * (1 - 0.35 * shade[:, :, None]), 0.8)


def add_beard(pixels: Pixels, rng: Rng) -> Pixels:
    """Add hair from the cheeks to the chin that leaves the lips free."""
    cover = np.zeros((SIZE_PX, SIZE_PX), np.float32)
    top = int(rng.integers(NOSE, MOUTH))
    wide, deep = int(rng.integers(26, 34)), int(rng.integers(20, 32))
    cv2.ellipse(cover, (MIDDLE, top), (wide, CHIN - top + deep // 3), 0, 0, 180, (1.0,), -1)
    lips = (int(rng.integers(9, 13)), int(rng.integers(3, 6)))
    cv2.ellipse(cover, (MIDDLE, MOUTH), lips, 0, 0, 360, (0.0,), -1)
    cover *= float(rng.uniform(0.55, 0.95))
    grey = float(rng.choice([30.0, 50.0, 80.0, 170.0])) * np.array([1.05, 0.95, 0.85])
    strands = rng.normal(1.0, 0.35, (SIZE_PX, SIZE_PX, 1)).clip(0.2, 2.0)
    hair = grey * cv2.GaussianBlur(strands, (1, 5), 0)[:, :, None]
    return _alpha_blend(pixels.astype(np.float32), cover, hair, 1.5)


def add_glasses(pixels: Pixels, rng: Rng) -> Pixels:
    """Add two lenses, clear or dark, and a bridge."""
    cover = np.zeros((SIZE_PX, SIZE_PX), np.float32)
    size = (int(rng.integers(9, 15)), int(rng.integers(6, 11)))
    y, apart = EYES + int(rng.integers(-2, 4)), int(rng.integers(15, 20))
    filled = -1 if rng.random() < 0.5 else int(rng.integers(1, 3))
    for x in (MIDDLE - apart, MIDDLE + apart):
        cv2.ellipse(cover, (x, y), size, 0, 0, 360, (1.0,), filled)
    cv2.line(cover, (MIDDLE - apart + size[0], y), (MIDDLE + apart - size[0], y), (1.0,), 1)
    cover *= float(rng.uniform(0.6, 1.0))
    frame = rng.uniform(0, 90) * np.ones(3)
    return _alpha_blend(pixels.astype(np.float32), cover, frame, 0.5)


def add_hood(pixels: Pixels, rng: Rng) -> Pixels:
    """Add cloth around the face that hides hair, ears and a part of the forehead."""
    opening = np.zeros((SIZE_PX, SIZE_PX), np.float32)
    size = (int(rng.integers(30, 38)), int(rng.integers(38, 48)))
    cv2.ellipse(opening, (MIDDLE, MOUTH - 12), size, 0, 0, 360, (1.0,), -1)
    colour = rng.uniform(10, 240, 3)
    folds = rng.uniform(0.7, 1.3, (6, 6, 1)).astype(np.float32)
    cloth = colour * cv2.resize(folds, (SIZE_PX, SIZE_PX))[:, :, None]
    return _alpha_blend(pixels.astype(np.float32), 1 - opening, cloth, 1.2)


def _alpha_blend(under: Any, cover: Any, over: Any, soft: float) -> Pixels:
    share = cv2.GaussianBlur(cover, (0, 0), soft)[:, :, None]
    return np.asarray(np.clip(under * (1 - share) + over * share, 0, 255), np.uint8)


def _median_colour(region: Pixels) -> Any:
    return np.asarray(np.median(region.reshape(-1, 3), axis=0), np.float64)
