"""Metrics of a ranking of faces by score: areas under curves, points of curves, and 95% bands of
curves.

All metrics take weights, (draws, faces), so that `training.common.intervals` can resample; weights
of 1 give the usual metrics. Faces with equal scores are on the same side of every threshold.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from training.common.intervals import Values, Weights, bootstrap_weights, percentile_interval, ratio
from training.common.metrics import Floats, Ints

Floats64 = npt.NDArray[np.float64]


class Ranking:
    """Faces ranked by a score; each face is positive or negative."""

    def __init__(self, scores: Floats, positive: npt.NDArray[np.bool_]) -> None:
        """`scores` and `positive`: (n,)."""
        self._order = np.argsort(-scores, kind="stable")
        ranked = scores[self._order]
        self._starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]][: len(ranked)])
        self._positive = positive[self._order]
        #: The distinct scores from high to low, (k,); each is a threshold.
        self.thresholds: Floats = ranked[self._starts]
        #: Whether there are positive and negative faces.
        self.has_both_classes = bool(positive.any() and not positive.all())

    def cumulated_counts(self, weights: Weights) -> tuple[Floats64, Floats64]:
        """Return the weights of positive and of negative faces that reach each threshold.

        Both are (draws, k + 1). The first column is 0: no face is flagged. The other columns are
        for the thresholds from high to low.
        """
        ranked = weights[:, self._order]
        return self._sums(ranked * self._positive), self._sums(ranked * ~self._positive)

    def _sums(self, ranked: Weights) -> Floats64:
        at_each = np.add.reduceat(ranked, self._starts, axis=1, dtype=np.float64)
        none = np.zeros((len(ranked), 1))
        return np.asarray(np.concatenate([none, at_each.cumsum(axis=1)], axis=1), np.float64)


def roc_auc(ranking: Ranking, weights: Weights) -> Values:
    """Return the area under the ROC curve, or NaN without positive or without negative faces."""
    right, wrong = ranking.cumulated_counts(weights)
    under = (np.diff(wrong, axis=1) * (right[:, 1:] + right[:, :-1]) / 2).sum(axis=1)
    return ratio(under, right[:, -1] * wrong[:, -1])


def average_precision(ranking: Ranking, weights: Weights) -> Values:
    """Return the precision averaged over the steps of the recall, or NaN without positive faces."""
    right, wrong = ranking.cumulated_counts(weights)
    steps = np.diff(right, axis=1)
    precision = np.nan_to_num(ratio(right[:, 1:], right[:, 1:] + wrong[:, 1:]))
    return ratio((steps * precision).sum(axis=1), right[:, -1])


def recall_at(ranking: Ranking, weights: Weights, false_alarms: float) -> Values:
    """Return the recall at the lowest threshold that gives at most `false_alarms`.

    `false_alarms` is the share of the negatives that reach the threshold. The threshold is chosen
    in each bootstrap draw, in the same way as in `metrics.alert_threshold`.
    """
    right, wrong = ranking.cumulated_counts(weights)
    within = wrong <= (false_alarms + 1e-9) * wrong[:, -1:]
    last = within.sum(axis=1) - 1
    found = ratio(right[np.arange(len(right)), last], right[:, -1])
    return np.where(wrong[:, -1] > 0, found, np.nan)


def recall_at_precision(ranking: Ranking, weights: Weights, precision: float) -> Values:
    """Return the highest recall at a threshold with at least `precision`, or 0 if there is none.

    The threshold is chosen in each bootstrap draw. NaN without positive faces.
    """
    right, wrong = ranking.cumulated_counts(weights)
    taken = right + wrong
    precise = (taken > 0) & (right >= (precision - 1e-9) * taken)
    return ratio(np.where(precise, right, 0.0).max(axis=1), right[:, -1])


def curve_points(ranking: Ranking) -> tuple[Floats64, Floats64, Floats64]:
    """Return the points of the ROC and the precision-recall curve, as three arrays of (k + 1,).

    The arrays are the false positive rate, the recall, and the precision, which is 1 where no face
    is flagged.
    """
    right, wrong = (
        each[0] for each in ranking.cumulated_counts(np.ones((1, len(ranking._order)), "f4"))
    )
    taken = right + wrong
    precision = np.divide(right, taken, out=np.ones_like(right), where=taken > 0)
    return wrong / wrong[-1], right / right[-1], precision


def curve_bands(
    ranking: Ranking, pictures: Ints, at: Floats64
) -> tuple[tuple[Floats64, Floats64], tuple[Floats64, Floats64]]:
    """Return the 95% bands, (low, high) of (m,) each, of the ROC and the precision-recall curve.

    The first band is the recall at the false positive rates `at`; the second is the precision at
    the recalls `at`. `at`: (m,), 0 to 1, ascending.
    """
    found, precise = [], []
    for weights in bootstrap_weights(pictures):
        right, wrong = ranking.cumulated_counts(weights)
        for hits, misses in zip(right, wrong, strict=True):
            if hits[-1] and misses[-1]:
                last = np.searchsorted(misses / misses[-1], at + 1e-9, side="right") - 1
                found.append(hits[last] / hits[-1])
                first = np.maximum(np.searchsorted(hits / hits[-1], at - 1e-9), 1)
                precise.append(hits[first] / np.maximum(hits[first] + misses[first], 1e-9))
    return _band(found), _band(precise)


def _band(rows: list[Floats64]) -> tuple[Floats64, Floats64]:
    ends = np.array([percentile_interval(np.asarray(column)) for column in np.array(rows).T])
    return ends[:, 0], ends[:, 1]
