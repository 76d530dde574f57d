"""The scores under which a reading of a trained model is unsure, chosen on pictures that it was not
trained on.

A network that sees the back of a head, half a face or a wall answers as well, but its highest score
is mostly lower than that of a face: of the boxes without a face in photographs, nine tenths have
the label `mask`, and 60% of them a lower score than 98% of the faces with a mask.
"""

from __future__ import annotations

import numpy as np

from edge.classification.model_card import ALERT_LABEL, Unsure
from training.common.metrics import Floats, alert_threshold
from training.fit.held_out_scores import HeldOutScores

#: At most this share of the faces of a label may become unsure.
MAX_UNSURE_FACES = 0.02
#: If at most this share of the boxes without a face reaches a lower score, that score is
#: sufficient, and fewer faces become unsure.
MAX_SURE_EMPTY = 0.01
#: Scores of a quantised model are multiples of 1/256, and its highest one is 255/256: a limit close
#: to that would make every face unsure.
MAX_SCORE = 0.98
HOW_CHOSEN = (
    "for each label, the largest that at least {:.0%} of its validation faces ({}, counting"
    " equally) reach; at most {}, for no_mask at most the alert threshold, and at most the score"
    " that {:.0%} of the boxes without a face reach"
)


def choose_unsure(found: HeldOutScores, threshold: float) -> Unsure:
    """Return the scores under which a reading is unsure, by label.

    `threshold` is the alert threshold, which the score of `no_mask` does not exceed.
    """
    scores = {}
    for index, label in enumerate(found.labels):
        of_label = [
            _own_scores(faces.scores[faces.truth == index], index) for faces in found.faces.values()
        ]
        score = min(
            MAX_SCORE,
            _score_of_most_faces([own for own in of_label if len(own)]),
            _score_of_few_boxes(found.empty, index),
        )
        scores[label] = round(min(score, threshold) if label == ALERT_LABEL else score, 4)
    names = " and ".join(found.faces)
    chosen = HOW_CHOSEN.format(1 - MAX_UNSURE_FACES, names, MAX_SCORE, MAX_SURE_EMPTY)
    return Unsure(scores=scores, chosen=chosen)


def _own_scores(scores: Floats, index: int) -> Floats:
    """Return the highest score of the faces that have the label `index`, among `scores`."""
    return np.asarray(scores[scores.argmax(axis=1) == index, index], np.float32)


def _score_of_most_faces(of_label: list[Floats]) -> float:
    """Return the largest score that at most `MAX_UNSURE_FACES` are below; data sets count equally.

    Without faces of the label, no reading with this label is unsure.
    """
    if not of_label:
        return 0.0
    scores = np.concatenate(of_label)
    weights = np.concatenate([np.full(len(own), 1 / len(own)) for own in of_label])
    order = np.argsort(scores, kind="stable")
    below = np.cumsum(weights[order]) / weights.sum()
    first = int(np.searchsorted(below, MAX_UNSURE_FACES + 1e-9, side="right"))
    return float(scores[order[first]])


def _score_of_few_boxes(empty: list[Floats], index: int) -> float:
    """Return the lowest score that at most `MAX_SURE_EMPTY` of each group of boxes reaches."""
    found = [np.where(each.argmax(axis=1) == index, each[:, index], 0.0) for each in empty]
    limits = [alert_threshold([np.asarray(own, np.float32)], MAX_SURE_EMPTY) for own in found]
    return max(limits, default=MAX_SCORE)
