"""Pictures that stand, all but identical, in two parts of the data."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.framing import Pixels

GRID = 16
BITS = GRID * GRID
#: Re-encoded or rescaled copies differ in up to this many of the 256 bits; different
#: faces, even equally posed, in far more.
SAME_WITHIN_BITS = 20

Fingerprint = npt.NDArray[np.float32]


def fingerprint(pixels: Pixels) -> Fingerprint:
    """(256,) float32 of -1 and 1: where the picture brightens from left to right."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (GRID + 1, GRID), interpolation=cv2.INTER_AREA).astype(np.int16)
    rises = small[:, 1:] > small[:, :-1]
    return np.where(rises, 1, -1).astype(np.float32).ravel()


def copies(of: list[Fingerprint], among: list[Fingerprint]) -> npt.NDArray[np.bool_]:
    """For each of `of`, whether a near-identical picture stands in `among`."""
    if not of or not among:
        return np.zeros(len(of), np.bool_)
    agreement = np.stack(of) @ np.stack(among).T  # BITS - 2 * differing bits
    found: npt.NDArray[np.bool_] = agreement.max(axis=1) >= BITS - 2 * SAME_WITHIN_BITS
    return found
