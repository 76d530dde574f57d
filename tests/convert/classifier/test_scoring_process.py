"""A finished model is scored and timed in a process of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.classifier.scoring_process import Measured, measured
from convert.synthetic_inputs import drawn_inputs
from edge.classification.classifier import Classifier
from edge.common.paths import shipped_model
from tests.support.runtimes import INSTALLED_RUNTIMES

pytestmark = pytest.mark.slow


@pytest.fixture
def pixels(tmp_path: Path) -> Path:
    path = tmp_path / "pixels.npy"
    np.save(path, drawn_inputs(3, 96))
    return path


def test_scores_equal_those_of_the_classifier(pixels: Path) -> None:
    runtime = INSTALLED_RUNTIMES[0]
    found = measured(shipped_model(), pixels, runtime)
    assert isinstance(found, Measured)
    classifier = Classifier(shipped_model(), threads=1, runtime=runtime)
    wanted = [
        [classifier.classify_crop(picture).by_label[label] for label in classifier.card.labels]
        for picture in np.load(pixels)
    ]
    np.testing.assert_array_equal(found.scores, np.array(wanted, np.float32))
    assert found.latency_ms > 0


def test_missing_runtime_is_reported_as_a_reason(pixels: Path) -> None:
    found = measured(shipped_model(), pixels, "no-runtime")
    assert isinstance(found, str)
    assert "no TFLite runtime could load the model" in found
