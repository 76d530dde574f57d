"""Near-duplicates: re-encoded and shifted copies are found, but pictures of other faces are not."""

from __future__ import annotations

import cv2
import numpy as np

from tests.support.training import datasets
from training.data.duplicates import fingerprint, has_near_duplicate, near_duplicate_pairs


def test_finds_recompressed_copy_but_not_other_face() -> None:
    original, other = datasets.pattern(120), datasets.pattern(120, seed=1)
    _, code = cv2.imencode(".jpg", original, [cv2.IMWRITE_JPEG_QUALITY, 60])
    again = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
    smaller = np.asarray(cv2.resize(again, (90, 90), interpolation=cv2.INTER_AREA), np.uint8)
    found = has_near_duplicate([fingerprint(smaller), fingerprint(other)], [fingerprint(original)])
    assert found.tolist() == [True, False]


def test_finds_shifted_copy_by_its_tones() -> None:
    original, other = datasets.pattern(200), datasets.pattern(200, seed=1)
    rng = np.random.default_rng(3)
    shaken = np.clip(original[4:, 3:] + rng.normal(0, 20, (196, 197, 3)), 0, 255).astype(np.uint8)
    flat = np.full((50, 50, 3), 90, np.uint8)
    queries = [fingerprint(picture) for picture in (other, shaken, flat)]
    assert near_duplicate_pairs(queries, [fingerprint(flat), fingerprint(original)]) == [
        (1, 1),
        (2, 0),
    ]
    assert has_near_duplicate(queries, []).tolist() == [False, False, False]
