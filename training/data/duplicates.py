"""Near-duplicates: pictures that are identical but for encoding, scale or a slightly different
crop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.classification.face_crop import crop_face
from edge.common.arrays import Pixels
from training.data.datasets import Sample
from training.data.detector_simulation import MARGIN, box_of_annotation

GRID = 16
BITS = GRID * GRID
#: Re-encoded or rescaled copies differ in up to this many of the 256 bits; different faces, even in
#: the same pose, differ in far more.
MAX_DIFFERING_BITS = 20
#: Copies that are cropped a few pixels differently differ in more bits, but their tones at 32x32
#: correlate above this. Between face-mask-12k's Train and Test 36 pairs of pictures correlate above
#: 0.95 and 28 above 0.99, but 180 above 0.90, including different people in the same pose.
TONE_GRID, MIN_CORRELATION = 32, 0.95
MAX_ROWS = 4096  # Maximum number of rows in a table of all pairs, which then takes about 100 MB.

#: Side of the crop that a face's fingerprint is computed from, in pixels.
FACE_PX = 64

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Fingerprint:
    """Features of a picture that are similar in near-duplicates.

    `rises`: (256,) float32, 1 where the picture becomes brighter from left to right, and -1
    elsewhere. `tones`: (1024,) float32, its grey values at 32x32, with mean 0 and length 1.
    """

    rises: Floats
    tones: Floats


def fingerprint(pixels: Pixels) -> Fingerprint:
    """Return the fingerprint of a picture, (height, width, 3) uint8 RGB."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (GRID + 1, GRID), interpolation=cv2.INTER_AREA).astype(np.int16)
    rises = np.where(small[:, 1:] > small[:, :-1], 1, -1).astype(np.float32).ravel()
    tones = cv2.resize(grey, (TONE_GRID, TONE_GRID), interpolation=cv2.INTER_AREA)
    centred = tones.astype(np.float32).ravel() - np.float32(tones.mean())
    length = float(np.linalg.norm(centred))
    return Fingerprint(rises, centred / np.float32(length) if length else centred)


def sample_fingerprints(sample: Sample, image: Pixels) -> tuple[Fingerprint, Fingerprint]:
    """Return the fingerprints of the sample's face and of `image`, the whole picture that it is in.

    The two fingerprints are the same when the sample has no box.
    """
    whole = fingerprint(image)
    if sample.box_px is None:
        return whole, whole
    box = box_of_annotation(sample.box_px)
    return fingerprint(crop_face(image, box, MARGIN, (FACE_PX, FACE_PX))), whole


def has_near_duplicate(
    queries: list[Fingerprint], references: list[Fingerprint]
) -> npt.NDArray[np.bool_]:
    """Return, for each of `queries`, whether `references` holds a near-duplicate of it."""
    found = np.zeros(len(queries), np.bool_)
    for index, _ in _pairs(queries, references):
        found[index] = True
    return found


def near_duplicate_pairs(
    queries: list[Fingerprint], references: list[Fingerprint]
) -> list[tuple[int, int]]:
    """Return the indices (i, j) of each pair of near-duplicates, sorted.

    `i` is an index into `queries`, and `j` is an index into `references`.
    """
    return sorted(_pairs(queries, references))


def _pairs(queries: list[Fingerprint], references: list[Fingerprint]) -> Iterator[tuple[int, int]]:
    if not queries or not references:
        return
    rises = np.stack([each.rises for each in references]).T
    tones = np.stack([each.tones for each in references]).T
    for start in range(0, len(queries), MAX_ROWS):
        rows = queries[start : start + MAX_ROWS]
        agreement = np.stack([each.rises for each in rows]) @ rises  # BITS - 2 * differing bits
        same = agreement >= BITS - 2 * MAX_DIFFERING_BITS
        same |= np.stack([each.tones for each in rows]) @ tones >= MIN_CORRELATION
        for row, column in zip(*np.nonzero(same), strict=True):
            yield start + int(row), int(column)
