"""Calibration on validation faces: scores become probabilities, and labels get their true
frequencies.

Weights for rare labels and smoothed targets produce a network that predicts rare labels too often
and is less confident than it is accurate. One scale and one offset for each label, fitted on faces
that the network was not trained on, correct both faults. The scale and the offsets are folded into
the network's last layer and take no time at inference. This method is "vector scaling" with one
common scale (Guo and others, "On Calibration of Modern Neural Networks", 2017).

A data set without a label says nothing about the label's frequency elsewhere: most data sets have
no incorrectly worn masks at all. Its faces therefore count with the probabilities given that the
label is one of those that the data set has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.common.metrics import Floats
from training.fit.prepare import CropSet
from training.fit.training_loop import predict

# Bounds of the scale: values outside of these bounds are implausible.
MIN_SCALE, MAX_SCALE = 0.2, 5.0
#: Standard deviation of the offsets' prior, in logits, so that a label with few faces keeps an
#: offset near 0.
OFFSET_PRIOR_SD = 0.7


@dataclass(frozen=True)
class Calibration:
    """The `scale` of the logits, and the offset that is then added to the logit of each label."""

    scale: float
    offsets: tuple[float, ...]


def calibrate(model: Any, validation: dict[str, CropSet]) -> Calibration:
    """Fit a calibration on `validation`, whose data sets count equally, and apply it to `model` in
    place.
    """
    logits = [np.log(np.clip(predict(model, c.pixels), 1e-7, 1)) for c in validation.values()]
    calibration = fit_calibration(logits, [crops.truth for crops in validation.values()])
    last = model.get_layer("shares")
    weights, bias = (np.asarray(value) for value in last.get_weights())
    last.set_weights(
        [weights * calibration.scale, bias * calibration.scale + np.array(calibration.offsets)]
    )
    return calibration


def fit_calibration(logits: list[Floats], truth: list[npt.NDArray[np.int64]]) -> Calibration:
    """Return the calibration with the least mean cross-entropy.

    `logits` holds (n, labels) and `truth` (n,) of each data set.
    """
    from scipy.optimize import minimize

    # float32 is too coarse for finite differences
    wide = [each.astype(np.float64) for each in logits]
    labels = wide[0].shape[1]
    count = sum(len(each) for each in truth)
    lacking = [np.setdiff1d(np.arange(labels), right) for right in truth]

    def loss(values: npt.NDArray[np.float64]) -> float:
        means = []
        for each, right, lacks in zip(wide, truth, lacking, strict=True):
            moved = each * values[0] + values[1:]
            moved[:, lacks] = -np.inf
            peak = moved.max(axis=1, keepdims=True)
            total = peak[:, 0] + np.log(np.exp(moved - peak).sum(axis=1))
            means.append(float((total - moved[np.arange(len(right)), right]).mean()))
        prior = float((values[1:] ** 2).sum()) / (2 * OFFSET_PRIOR_SD**2 * count)
        return sum(means) / len(means) + prior

    start = np.array([1.0] + [0.0] * labels)
    bounds = [(MIN_SCALE, MAX_SCALE)] + [(-3.0, 3.0)] * labels
    best = minimize(loss, start, method="L-BFGS-B", bounds=bounds).x
    offsets = best[1:] - best[1:].mean()  # a softmax depends only on differences of its inputs
    return Calibration(float(best[0]), tuple(float(value) for value in offsets))
