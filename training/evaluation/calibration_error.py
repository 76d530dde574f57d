"""The calibration error of scores: how far scores differ from the observed frequencies."""

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
    """The faces with a score from `low` up to `high`.

    A score is the probability that the model gives to a statement about a face. `score` is the mean
    of these faces' scores, and `share` is the share of these faces for which the statement is true.
    """

    low: float
    high: float
    score: float
    share: Estimate


@dataclass(frozen=True)
class Reliability:
    """The numbers of a reliability diagram.

    `bins`: the bins that contain faces, from low to high scores. `ece`: the expected calibration
    error, the mean gap between score and share over the bins, weighted by their number of faces
    (Guo and others, "On calibration of modern neural networks", 2017).
    """

    bins: list[Bin]
    ece: Estimate


def reliability(scores: Floats, is_true: npt.NDArray[np.bool_], pictures: Ints) -> Reliability:
    """Compare scores with what is true.

    `scores` (n,), 0 to 1: for each face the probability that the model gives to a statement, such
    as that its label is `no_mask`. `is_true` (n,): whether the statement is true. `pictures` (n,):
    a number for each face that is the same for faces of one picture.
    """
    bin_index = np.clip((scores * BINS).astype(np.int64), 0, BINS - 1)
    in_bin = bin_index[:, np.newaxis] == np.arange(BINS)
    shares = share_estimates(
        {str(b): (in_bin[:, b] & is_true, in_bin[:, b]) for b in range(BINS)}, pictures
    )
    bins = [
        Bin(index / BINS, (index + 1) / BINS, float(scores[in_bin[:, index]].mean()), share)
        for index in range(BINS)
        if (share := shares[str(index)]) is not None
    ]
    gaps = in_bin * (is_true - scores.astype(np.float32))[:, np.newaxis]

    def statistic(weights: Weights) -> dict[str, Values]:
        off = np.abs(np.asarray(weights @ gaps.astype(np.float32), np.float64)).sum(axis=1)
        return {"ece": np.asarray(off / weights.sum(axis=1, dtype=np.float64), np.float64)}

    ece = bootstrap_estimates(statistic, pictures)["ece"]
    assert ece is not None
    return Reliability(bins, ece)
