"""The alert threshold of a trained model, chosen on pictures that it was not trained on."""

from __future__ import annotations

from edge.classification.model_card import ALERT_LABEL, Alert
from training.common.metrics import alert_threshold
from training.fit.held_out_scores import HeldOutScores

#: At most this share of the masked faces may raise an alert.
MAX_FALSE_ALARMS = 0.01
#: At most this share of the boxes without a face may raise an alert. The detector finds a false box
#: on a hand or a plant in one frame after the other.
MAX_EMPTY_ALARMS = 0.05
HOW_CHOSEN = (
    "the smallest that at most {:.0%} of masked validation faces ({}, counting equally)"
    " and at most {:.0%} of boxes without a face reach"
)


def choose_alert(found: HeldOutScores) -> Alert:
    """Return the smallest threshold that keeps to `MAX_FALSE_ALARMS`, and to `MAX_EMPTY_ALARMS` for
    each group of boxes without a face.
    """
    column, masked = found.labels.index(ALERT_LABEL), found.labels.index("mask")
    scores = [
        faces.scores[faces.truth == masked, column]
        for faces in found.faces.values()
        if (faces.truth == masked).any()
    ]
    value = alert_threshold(scores, MAX_FALSE_ALARMS)
    for empty in found.empty:
        value = max(value, alert_threshold([empty[:, column]], MAX_EMPTY_ALARMS))
    chosen = HOW_CHOSEN.format(MAX_FALSE_ALARMS, " and ".join(found.faces), MAX_EMPTY_ALARMS)
    return Alert(threshold=round(value, 4), chosen=chosen)
