"""Scores made to mean what they say, and the labels' odds set right, on validation faces.

Weights for rare labels and smoothed targets leave a net that says rare labels too often and
is less sure than it is right. One temperature and one offset per label, fitted where the
net was not trained, mend both; they are folded into its last layer and cost nothing.
"Vector scaling" with one common scale; Guo and others, "On Calibration of Modern Neural
Networks", 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.common.metrics import Floats
from training.fit.prepare import CropSet
from training.fit.training_loop import predict

MIN_SCALE, MAX_SCALE = 0.2, 5.0  # of the scale: beyond, the validation faces say nothing
#: How far from nothing the offsets are likely to be, in logits: a prior, so that a label
#: with few faces keeps what it learnt.
OFFSET_PRIOR_SD = 0.7


@dataclass(frozen=True)
class Calibration:
    """`scale` of the logits, and what is added to each label's afterwards."""

    scale: float
    offsets: tuple[float, ...]


def calibrate(model: Any, validation: dict[str, CropSet]) -> Calibration:
    """Fit on `validation`, its data sets counting equally, and change `model` in place."""
    logits = [np.log(np.clip(predict(model, c.pixels), 1e-7, 1)) for c in validation.values()]
    found = fit_calibration(logits, [crops.truth for crops in validation.values()])
    last = model.get_layer("shares")
    weights, bias = (np.asarray(value) for value in last.get_weights())
    last.set_weights([weights * found.scale, bias * found.scale + np.array(found.offsets)])
    return found


def fit_calibration(logits: list[Floats], truth: list[npt.NDArray[np.int64]]) -> Calibration:
    """The calibration of least mean cross-entropy; `logits` (n, labels) and `truth` (n,) of
    each data set."""
    from scipy.optimize import minimize

    wide = [each.astype(np.float64) for each in logits]  # finite differences need the digits
    labels = wide[0].shape[1]
    count = sum(len(each) for each in truth)

    def loss(values: npt.NDArray[np.float64]) -> float:
        means = []
        for each, right in zip(wide, truth, strict=True):
            moved = each * values[0] + values[1:]
            peak = moved.max(axis=1, keepdims=True)
            total = peak[:, 0] + np.log(np.exp(moved - peak).sum(axis=1))
            means.append(float((total - moved[np.arange(len(right)), right]).mean()))
        prior = float((values[1:] ** 2).sum()) / (2 * OFFSET_PRIOR_SD**2 * count)
        return sum(means) / len(means) + prior

    start = np.array([1.0] + [0.0] * labels)
    bounds = [(MIN_SCALE, MAX_SCALE)] + [(-3.0, 3.0)] * labels
    best = minimize(loss, start, method="L-BFGS-B", bounds=bounds).x
    offsets = best[1:] - best[1:].mean()  # only differences count in a softmax
    return Calibration(float(best[0]), tuple(float(value) for value in offsets))
