"""The scores of a trained model on what it was not trained on, from which thresholds are chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.classification.answer import scores_among
from training.common.metrics import Floats, Ints
from training.fit.prepare import HeldOut
from training.fit.training_loop import predict


@dataclass(frozen=True)
class FaceScores:
    """The scores of the faces of a data set, (n, labels), and the index of their label, (n,)."""

    scores: Floats
    truth: Ints


@dataclass(frozen=True)
class HeldOutScores:
    """The scores of a model with these `labels`.

    `faces`: those of the validation faces, by data set. `empty`: those of each group of boxes
    without a face, (n, labels).
    """

    labels: tuple[str, ...]
    faces: dict[str, FaceScores]
    empty: list[Floats]

    def among(self, labels: tuple[str, ...]) -> HeldOutScores:
        """Return the scores of the answer among `labels` alone, without faces of other labels."""
        if labels == self.labels:
            return self
        index = {self.labels.index(label): own for own, label in enumerate(labels)}
        faces = {}
        for name, found in self.faces.items():
            kept = [row for row, label in enumerate(found.truth) if int(label) in index]
            if kept:
                truth = [index[int(label)] for label in found.truth[kept]]
                scores = scores_among(found.scores[kept], self.labels, labels)
                faces[name] = FaceScores(scores, np.array(truth, np.int64))
        return HeldOutScores(
            labels, faces, [scores_among(each, self.labels, labels) for each in self.empty]
        )


def held_out_scores(network: Any, held_out: HeldOut, labels: tuple[str, ...]) -> HeldOutScores:
    """Return the scores of `network`, a Keras model with these `labels`, on `held_out`."""
    faces = {
        name: FaceScores(predict(network, crops.pixels), crops.truth)
        for name, crops in held_out.validation.items()
    }
    return HeldOutScores(labels, faces, [predict(network, crops) for crops in held_out.empty])
