"""The gate: a converted model must say what its Keras model says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.errors import UserError

Floats = npt.NDArray[np.float32]

#: Of the pictures of which Keras is sure, so many must get the same label from int8.
LEAST_AGREEMENT = 0.98
#: Sure: the winning label leads the next by this much. A coin's toss may fall either way.
SURE_LEAD = 0.2
#: Mean distance of the scores, over all pictures.
MOST_DISTANCE = 0.02


@dataclass(frozen=True)
class Parity:
    """`agreement` over the `sure` of `count` pictures, `distance` the mean over all scores."""

    agreement: float
    distance: float
    sure: int
    count: int


def compare(keras_scores: Floats, int8_scores: Floats) -> Parity:
    """Both (n, labels)."""
    ranked = np.sort(keras_scores, axis=1)
    sure = ranked[:, -1] - ranked[:, -2] >= SURE_LEAD
    same = keras_scores.argmax(axis=1) == int8_scores.argmax(axis=1)
    agreement = float(same[sure].mean()) if sure.any() else 1.0
    distance = float(np.abs(keras_scores - int8_scores).mean())
    return Parity(agreement, distance, int(sure.sum()), len(same))


def check_parity(parity: Parity) -> None:
    """Raises UserError when the converted model is not the same model any more."""
    if parity.agreement < LEAST_AGREEMENT or parity.distance > MOST_DISTANCE:
        raise UserError(
            f"the int8 model is not written: it agrees with Keras on {parity.agreement:.1%} of"
            f" {parity.sure} clear pictures (at least {LEAST_AGREEMENT:.0%}) and its scores are"
            f" {parity.distance:.3f} off on average (at most {MOST_DISTANCE}); ranges computed"
            " from other data (--data) may help"
        )
