"""The calibration error of scores: how far scores differ from the observed frequencies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from training.common.intervals import (
    Estimate,
    Values,
    Weights,
    bootstrap_estimates,
    ratio,
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
    in_bin = _bin_index(scores)[:, np.newaxis] == np.arange(BINS)
    shares = share_estimates(
        {str(b): (in_bin[:, b] & is_true, in_bin[:, b]) for b in range(BINS)}, pictures
    )
    bins = [
        Bin(index / BINS, (index + 1) / BINS, float(scores[in_bin[:, index]].mean()), share)
        for index in range(BINS)
        if (share := shares[str(index)]) is not None
    ]
    ece = calibration_errors({"": (scores, is_true, np.ones(len(scores), np.bool_))}, pictures)[""]
    assert ece is not None
    return Reliability(bins, ece)


def calibration_errors(
    parts: Mapping[str, tuple[Floats, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]], pictures: Ints
) -> dict[str, Estimate | None]:
    """Estimate the expected calibration error of each of `parts`, with its interval.

    A part has the scores (n,) of all faces, whether the statement is true of them (n,), and which
    of them it consists of (n,); it is None if it has no face. `pictures` is as in `reliability`.
    """
    gaps, counts = [], []
    for scores, is_true, chosen in parts.values():
        known = np.where(chosen, scores, 0).astype(np.float32)
        in_bin = _bin_index(known)[:, np.newaxis] == np.arange(BINS)
        gaps.append((in_bin & chosen[:, np.newaxis]) * (is_true - known)[:, np.newaxis])
        counts.append(chosen)
    if not gaps:
        return {}
    all_gaps, members = (
        np.hstack(gaps).astype(np.float32),
        np.column_stack(counts).astype(np.float32),
    )

    def statistic(weights: Weights) -> dict[str, Values]:
        off = np.abs(np.asarray(weights @ all_gaps, np.float64)).reshape(-1, len(parts), BINS)
        errors = ratio(off.sum(axis=2), np.asarray(weights @ members, np.float64))
        return {name: errors[:, index] for index, name in enumerate(parts)}

    found = bootstrap_estimates(statistic, pictures)
    return {
        name: None if (each := found[name]) is None else replace(each, count=int(own.sum()))
        for name, own in zip(parts, counts, strict=True)
    }


def _bin_index(scores: Floats) -> Ints:
    return np.clip((scores * BINS).astype(np.int64), 0, BINS - 1)
