"""The parity gate of the face detector: a converted network must find what Keras finds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.common.errors import UserError
from edge.detection.boxes import iou_matrix
from edge.detection.point_grid import Grid

Floats = npt.NDArray[np.float32]

#: Points whose Keras score is at least this are compared one by one: the others hold no face.
MIN_SCORE = 0.3
#: The largest permitted mean difference between the scores of these points, and between those of
#: all points, most of which are background.
MAX_DISTANCE, MAX_BACKGROUND_DISTANCE = 0.05, 0.005
#: The smallest permitted mean IoU of the boxes of these points.
MIN_IOU = 0.85

GATE = (
    "The gate for a face detector: in every installed runtime, the scores of all points must be at"
    f" most {MAX_BACKGROUND_DISTANCE} off on average, those of points to which Keras gives"
    f" {MIN_SCORE} or more at most {MAX_DISTANCE}, and the boxes of these points must have a mean"
    f" IoU of {MIN_IOU} or more with those of Keras."
)


@dataclass(frozen=True)
class Outputs:
    """The outputs for n pictures: logits (n, points) and codes (n, points, 4)."""

    logits: Floats
    codes: Floats


@dataclass(frozen=True)
class DetectorParity:
    """How well a converted network agrees with Keras.

    `background`: the mean difference between the scores of all points. `distance` and `iou`: the
    mean difference between the scores, and the mean IoU of the boxes, of the `points` that Keras
    gives a score of `MIN_SCORE` or more.
    """

    background: float
    distance: float
    iou: float
    points: int


def compare_outputs(grid: Grid, keras: Outputs, converted: Outputs) -> DetectorParity:
    """Compare the outputs of Keras and of a converted network for the same pictures."""
    expected, scores = _sigmoid(keras.logits), _sigmoid(converted.logits)
    likely = expected >= MIN_SCORE
    overlaps = [
        iou_matrix(grid.decode(a)[chosen], grid.decode(b)[chosen]).diagonal()
        for a, b, chosen in zip(keras.codes, converted.codes, likely, strict=True)
    ]
    difference = np.abs(expected - scores)
    found = bool(likely.any())
    return DetectorParity(
        background=float(difference.mean()),
        distance=float(difference[likely].mean()) if found else 0.0,
        iou=float(np.concatenate(overlaps).mean()) if found else 1.0,
        points=int(likely.sum()),
    )


def check_detector_parity(parity: DetectorParity, variant: str) -> None:
    """Raise UserError when the converted network differs too much from the Keras model."""
    agrees = (
        parity.background <= MAX_BACKGROUND_DISTANCE
        and parity.distance <= MAX_DISTANCE
        and parity.iou >= MIN_IOU
    )
    if not agrees:
        raise UserError(
            f"the {variant} face detector is not written: its scores are {parity.background:.4f}"
            f" off on average (at most {MAX_BACKGROUND_DISTANCE}), and on {parity.points} points"
            f" with a face {parity.distance:.3f} (at most {MAX_DISTANCE}) with a mean IoU of"
            f" {parity.iou:.2f} (at least {MIN_IOU}); ranges computed from other data (--data)"
            " may help"
        )


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-logits.astype(np.float64))), np.float32)
