"""Made-up scores of held-out faces and boxes, given by their `no_mask` score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.common.metrics import Floats
from training.fit.held_out_scores import FaceScores, HeldOutScores


def face_scores(
    labels: tuple[str, ...], masked: Sequence[float], bare: Sequence[float]
) -> FaceScores:
    """Return the scores of faces with a mask and of bare faces, by their `no_mask` score."""
    truth = np.array([0] * len(masked) + [1] * len(bare), np.int64)
    return FaceScores(_rows(labels, [*masked, *bare]), truth)


def held_out(
    labels: tuple[str, ...], faces: dict[str, FaceScores], *empty: Sequence[float]
) -> HeldOutScores:
    """Return the scores of `faces` by data set, and of groups of boxes without a face."""
    return HeldOutScores(labels, faces, [_rows(labels, group) for group in empty if group])


def _rows(labels: tuple[str, ...], bare: Sequence[float]) -> Floats:
    rows = np.zeros((len(bare), len(labels)), np.float32)
    rows[:, 1] = bare
    rows[:, 0] = 1 - rows[:, 1]
    return rows
