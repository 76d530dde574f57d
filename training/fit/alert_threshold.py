"""The alert threshold of a trained model, chosen on pictures that it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge.classification.model_card import ALERT_LABEL
from training.common.metrics import alert_threshold
from training.fit.prepare import HeldOut
from training.fit.training_loop import predict

#: At most this share of the masked faces may raise an alert.
MAX_FALSE_ALARMS = 0.01
#: At most this share of the boxes without a face may raise an alert, by the number of labels. The
#: detector finds a false box on a hand or a plant in one frame after the other. With three labels
#: the smaller share would cost 6 percentage points of the bare faces in photographs, because
#: `incorrect_mask` takes a part of their scores.
MAX_EMPTY_ALARMS = {2: 0.02, 3: 0.05}
HOW_CHOSEN = (
    "the smallest that at most {:.0%} of masked validation faces ({}, counting equally)"
    " and at most {:.0%} of boxes without a face reach"
)


@dataclass(frozen=True)
class Threshold:
    """A `no_mask` score, 0 to 1, and a description of how it was `chosen`."""

    value: float
    chosen: str


def choose_threshold(network: Any, held_out: HeldOut, labels: tuple[str, ...]) -> Threshold:
    """Return the smallest threshold that keeps to `MAX_FALSE_ALARMS`, and to `MAX_EMPTY_ALARMS` for
    each group of boxes without a face.
    """
    column, masked = labels.index(ALERT_LABEL), labels.index("mask")
    max_empty = MAX_EMPTY_ALARMS[len(labels)]
    scores = [
        predict(network, crops.pixels[crops.truth == masked])[:, column]
        for crops in held_out.validation.values()
        if (crops.truth == masked).any()
    ]
    value = alert_threshold(scores, MAX_FALSE_ALARMS)
    for empty in held_out.empty:
        value = max(value, alert_threshold([predict(network, empty)[:, column]], max_empty))
    names = " and ".join(held_out.validation)
    return Threshold(round(value, 4), HOW_CHOSEN.format(MAX_FALSE_ALARMS, names, max_empty))
