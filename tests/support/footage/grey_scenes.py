"""Grey images of a hall with and without people, for tests of motion detection."""

from __future__ import annotations

import numpy as np

from edge.common.arrays import Pixels


def hall(seed: int = 0) -> Pixels:
    """Return a scene of 240 rows and 320 columns: blocks of different grey levels."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(30, 200, (6, 8)).astype(np.uint8)
    return np.kron(blocks, np.ones((40, 40), np.uint8)).astype(np.uint8)


def with_person(scene: Pixels, x: int, y: int = 60, side: int = 23) -> Pixels:
    """Return `scene` with a square at (x, y). By default the square is as wide as the smallest face
    that is searched for (7% of the width).
    """
    changed = scene.copy()
    covered = scene[y : y + side, x : x + side]
    changed[y : y + side, x : x + side] = np.where(covered > 120, covered - 60, covered + 60)
    return changed


def photograph(
    scene: Pixels, rng: np.random.Generator, noise: float = 4.0, light: float = 1.0
) -> Pixels:
    """Return `scene` as a camera delivers it: with sensor noise, in the given light."""
    noisy = scene * light + rng.normal(0.0, noise, scene.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)
