"""The scores of held-out faces for the answer with two labels of a model with three."""

from __future__ import annotations

import numpy as np
import pytest

from training.fit.held_out_scores import FaceScores, HeldOutScores

TWO = ("mask", "no_mask")
THREE = (*TWO, "incorrect_mask")


def test_answer_with_two_labels_leaves_out_faces_with_the_third() -> None:
    rows = np.array([[0.6, 0.2, 0.2], [0.1, 0.1, 0.8], [0.1, 0.3, 0.6]], np.float32)
    found = HeldOutScores(
        THREE,
        {
            "mixed": FaceScores(rows, np.array([0, 2, 1], np.int64)),
            "incorrect": FaceScores(rows[:1], np.array([2], np.int64)),
        },
        [rows[1:2]],
    )
    two = found.among(TWO)
    assert (two.labels, list(two.faces)) == (TWO, ["mixed"])
    assert two.faces["mixed"].truth.tolist() == [0, 1]
    assert two.faces["mixed"].scores == pytest.approx(np.array([[0.75, 0.25], [0.25, 0.75]]))
    assert two.empty[0] == pytest.approx(np.array([[0.5, 0.5]]))
    assert two.among(TWO) is two
