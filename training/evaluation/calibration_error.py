"""Whether a score means what it says: of faces scored 0.9, are nine in ten so?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.common.intervals import (
    Estimate,
    Values,
    Weights,
    bootstrap_estimates,
    share_estimates,
)
from training.common.metrics import Floats, Ints

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Faces whose score lies from `low` up to `high`: their mean `score`, the `share` of
    them that are so."""

    low: float
    high: float
    score: float
    share: Estimate


@dataclass(frozen=True)
class Reliability:
    """Bins that hold faces, from low to high. `ece`, the expected calibration error: the
    bins' gaps between score and share, weighed by their faces (Guo and others, "On
    calibration of modern neural networks", 2017)."""

    bins: list[Bin]
    ece: Estimate


def reliability(scores: Floats, so: npt.NDArray[np.bool_], pictures: Ints) -> Reliability:
    """`scores` (n,) from 0 to 1; `so` (n,) whether it was; `pictures` (n,) whose face it is."""
    place = np.clip((scores * BINS).astype(np.int64), 0, BINS - 1)
    inside = place[:, np.newaxis] == np.arange(BINS)
    held = share_estimates(
        {str(b): (inside[:, b] & so, inside[:, b]) for b in range(BINS)}, pictures
    )
    bins = [
        Bin(index / BINS, (index + 1) / BINS, float(scores[inside[:, index]].mean()), share)
        for index in range(BINS)
        if (share := held[str(index)]) is not None
    ]
    gaps = inside * (so - scores.astype(np.float32))[:, np.newaxis]

    def statistic(weights: Weights) -> dict[str, Values]:
        off = np.abs(np.asarray(weights @ gaps.astype(np.float32), np.float64)).sum(axis=1)
        return {"ece": np.asarray(off / weights.sum(axis=1, dtype=np.float64), np.float64)}

    ece = bootstrap_estimates(statistic, pictures)["ece"]
    assert ece is not None
    return Reliability(bins, ece)
