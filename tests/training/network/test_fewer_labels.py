"""A network of three labels without its third output."""

from __future__ import annotations

import pytest

from tests.support.training import datasets

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SAME = """
import sys
from pathlib import Path
import numpy as np
from edge.classification.answer import scores_among
from edge.classification.model_card import KNOWN_LABELS, TWO_LABELS
from training.common.quiet_keras import load_model_file
from training.network.fewer_labels import has_third_label, without_third_label
whole = load_model_file(Path(sys.argv[1]))
part = without_third_label(whole)
assert (has_third_label(whole), has_third_label(part)) == (True, False)
pixels = np.random.default_rng(0).integers(0, 256, (8, 96, 96, 3)).astype(np.float32)
three, two = (np.asarray(model(pixels)) for model in (whole, part))
np.testing.assert_allclose(two, scores_among(three, KNOWN_LABELS, TWO_LABELS), rtol=1e-3, atol=1e-6)
assert np.ptp(two[:, 0]) > 0
"""


def test_scores_are_those_of_the_answer_with_two_labels() -> None:
    done = datasets.python("-c", SAME, datasets.ROOT / "models" / "mask.keras")
    assert done.returncode == 0, done.stderr
