"""Pictures that stand, all but identical, in two parts of the data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.common.arrays import Pixels

GRID = 16
BITS = GRID * GRID
#: Re-encoded or rescaled copies differ in up to this many of the 256 bits; different
#: faces, even equally posed, in far more.
MAX_DIFFERING_BITS = 20
#: Copies cut a few pixels differently flip more bits than that, and yet their tones, at
#: 32x32, correlate above this. Between face-mask-12k's Train and Test the number of pairs
#: is 36 at 0.95 and 28 at 0.99, but 180 at 0.90, where different people stand alike.
TONE_GRID, MIN_CORRELATION = 32, 0.95
MAX_ROWS = 4096  # of the table of all pairs: 100 MB or so

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Fingerprint:
    """`rises`: (256,) float32 of -1 and 1, where the picture brightens from left to right.
    `tones`: (1024,) float32, its grey values at 32x32, of mean 0 and length 1."""

    rises: Floats
    tones: Floats


def fingerprint(pixels: Pixels) -> Fingerprint:
    """What all but identical pictures, (height, width, 3) uint8 RGB, have in common."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (GRID + 1, GRID), interpolation=cv2.INTER_AREA).astype(np.int16)
    rises = np.where(small[:, 1:] > small[:, :-1], 1, -1).astype(np.float32).ravel()
    tones = cv2.resize(grey, (TONE_GRID, TONE_GRID), interpolation=cv2.INTER_AREA)
    centred = tones.astype(np.float32).ravel() - np.float32(tones.mean())
    length = float(np.linalg.norm(centred))
    return Fingerprint(rises, centred / np.float32(length) if length else centred)


def has_near_duplicate(of: list[Fingerprint], among: list[Fingerprint]) -> npt.NDArray[np.bool_]:
    """For each of `of`, whether a near-identical picture stands in `among`."""
    found = np.zeros(len(of), np.bool_)
    for index, _ in _pairs(of, among):
        found[index] = True
    return found


def near_duplicate_pairs(of: list[Fingerprint], among: list[Fingerprint]) -> list[tuple[int, int]]:
    """(i, j) of each near-identical pair, `i` counting in `of` and `j` in `among`, in order."""
    return sorted(_pairs(of, among))


def _pairs(of: list[Fingerprint], among: list[Fingerprint]) -> Iterator[tuple[int, int]]:
    if not of or not among:
        return
    rises = np.stack([each.rises for each in among]).T
    tones = np.stack([each.tones for each in among]).T
    for start in range(0, len(of), MAX_ROWS):
        rows = of[start : start + MAX_ROWS]
        agreeing = np.stack([each.rises for each in rows]) @ rises  # BITS - 2 * differing bits
        same = agreeing >= BITS - 2 * MAX_DIFFERING_BITS
        same |= np.stack([each.tones for each in rows]) @ tones >= MIN_CORRELATION
        for row, column in zip(*np.nonzero(same), strict=True):
            yield start + int(row), int(column)
