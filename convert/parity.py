"""The parity gate: a converted model must give the answers of its Keras model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.common.errors import UserError

Floats = npt.NDArray[np.float32]

#: The share of the pictures of which Keras is sure that must get the same label.
MIN_AGREEMENT = 0.98
#: Keras is sure when the best label leads the next by this much. Near a tie either may win.
SURE_LEAD = 0.2
#: Mean distance of the scores, over all pictures.
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
    """`agreement` over the `sure` of `count` pictures; `differ`, the share of labels that
    differ, and `distance`, the scores' mean distance, over all."""

    agreement: float
    differ: float
    distance: float
    sure: int
    count: int


def compare(keras_scores: Floats, scores: Floats) -> Parity:
    """Both (n, labels)."""
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
    """Raises UserError when the converted model is not the same model any more."""
    if parity.agreement < MIN_AGREEMENT or not parity.distance <= MAX_DISTANCE:
        raise UserError(
            f"the {variant} model is not written: it agrees with Keras on {parity.agreement:.1%}"
            f" of {parity.sure} clear pictures (at least {MIN_AGREEMENT:.0%}) and its scores are"
            f" {parity.distance:.3f} off on average (at most {MAX_DISTANCE}); ranges computed"
            " from other data (--data) may help"
        )
