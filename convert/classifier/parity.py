"""The parity gate: a converted model must give the answers of its Keras model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.common.errors import UserError

Floats = npt.NDArray[np.float32]

#: On at least this share of the pictures about which Keras is sure, the labels must be equal.
MIN_AGREEMENT = 0.98
#: Keras is sure when the score of its best label is this much above that of the next. If the
#: difference is small, rounding alone can change the label.
SURE_LEAD = 0.2
#: The largest permitted mean difference between the scores, over all pictures.
MAX_DISTANCE = 0.02

GATE = (
    "The parity gate: in every installed runtime, each variant must give the label that Keras"
    f" gives on at least {MIN_AGREEMENT:.0%} of the pictures on which the best label leads by"
    f" {SURE_LEAD} or more, and its scores must be at most {MAX_DISTANCE} off on average."
    " Otherwise nothing is written and all old files stay. The pictures are the test parts of"
    " the data sets or, without --data, synthetic drawings."
)


@dataclass(frozen=True)
class Parity:
    """How well a converted model agrees with Keras on `count` pictures.

    `agreement`: the share of equal labels among the `sure` pictures, about which Keras is sure.
    `differ`: the share of different labels among all pictures. `distance`: the mean difference
    between the scores, over all pictures.
    """

    agreement: float
    differ: float
    distance: float
    sure: int
    count: int


def compare(keras_scores: Floats, scores: Floats) -> Parity:
    """Compare the scores of Keras and of a converted model, each (n, labels)."""
    ranked = np.sort(keras_scores, axis=1)
    sure = ranked[:, -1] - ranked[:, -2] >= SURE_LEAD
    same = keras_scores.argmax(axis=1) == scores.argmax(axis=1)
    return Parity(
        agreement=float(same[sure].mean()) if sure.any() else 1.0,
        differ=float(1 - same.mean()),
        distance=float(np.abs(keras_scores - scores).mean()),
        sure=int(sure.sum()),
        count=len(same),
    )


def check_parity(parity: Parity, variant: str) -> None:
    """Raise UserError when the converted model differs too much from the Keras model."""
    if parity.agreement < MIN_AGREEMENT or not parity.distance <= MAX_DISTANCE:
        raise UserError(
            f"the {variant} model is not written: it agrees with Keras on {parity.agreement:.1%}"
            f" of {parity.sure} clear pictures (at least {MIN_AGREEMENT:.0%}) and its scores are"
            f" {parity.distance:.3f} off on average (at most {MAX_DISTANCE}); ranges computed"
            " from other data (--data) may help"
        )
