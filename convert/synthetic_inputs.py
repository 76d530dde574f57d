"""Synthetic check pictures: drawings of faces and masks, gradients, and noise.

They do not represent a data set. The model's scores for them range from sure to unsure, so that
they reveal a wrong quantisation without photographs of people.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge.common.arrays import Pixels

SEED = 20


def drawn_inputs(count: int, size_px: int) -> Pixels:
    """Return (count, size_px, size_px, 3) uint8 RGB pictures, always the same."""
    rng = np.random.default_rng(SEED)
    kinds = (_face, _face, _face, _noise, _ramp)
    return np.stack([kinds[i % len(kinds)](size_px, rng) for i in range(count)])


def _face(size_px: int, rng: np.random.Generator) -> Pixels:
    """Draw a cartoon face, sometimes with a mask over its lower half."""
    picture = _ramp(size_px, rng)
    skin = tuple(int(v) for v in np.array([205, 160, 130]) * rng.uniform(0.45, 1.15))
    skin = tuple(min(255, v) for v in skin)
    dark = tuple(int(v) for v in rng.integers(10, 80, 3))
    middle = size_px / 2 + rng.normal(0, 0.04 * size_px, 2)
    at = np.round(middle + np.array([[0, 0], [-0.17, -0.1], [0.17, -0.1], [0, 0.26]]) * size_px)
    face, left, right, mouth = ((int(x), int(y)) for x, y in at)
    cv2.ellipse(picture, face, (int(0.36 * size_px), int(0.47 * size_px)), 0, 0, 360, skin, -1)
    for eye in (left, right):
        cv2.ellipse(picture, eye, (size_px // 14, size_px // 24), 0, 0, 360, dark, -1)
    if rng.random() < 0.5:
        cloth = tuple(int(v) for v in rng.integers(90, 255, 3))
        cv2.ellipse(
            picture, mouth, (int(0.33 * size_px), int(0.25 * size_px)), 0, 0, 360, cloth, -1
        )
    else:
        red = (int(rng.integers(120, 210)), 70, 70)
        cv2.ellipse(picture, mouth, (size_px // 7, size_px // 22), 0, 0, 360, red, -1)
        cv2.line(picture, face, (face[0], face[1] + size_px // 8), dark, max(1, size_px // 40))
    soft = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.4, 2.5)))
    grain = rng.normal(0, rng.uniform(0, 10), soft.shape)
    return np.asarray(np.clip(soft + grain, 0, 255), np.uint8)


def _noise(size_px: int, rng: np.random.Generator) -> Pixels:
    """Draw noise of random coarseness."""
    side = int(rng.integers(2, size_px))
    grain = rng.integers(0, 256, (side, side, 3), np.uint8)
    return np.asarray(cv2.resize(grain, (size_px, size_px)), np.uint8)


def _ramp(size_px: int, rng: np.random.Generator) -> Pixels:
    """Draw a gradient between four random colours."""
    corners = rng.integers(0, 256, (2, 2, 3), np.uint8)
    return np.asarray(cv2.resize(corners, (size_px, size_px)), np.uint8)
