"""A face detector's outputs, computed in a process without TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.face_detector.detector_pictures import drawn_scenes
from convert.face_detector.detector_scoring import DetectorMeasured, measured_detector
from edge.common.paths import shipped_detector, shipped_model
from edge.detection.face_network import FaceNetwork
from edge.detection.point_grid import InputSize, point_count
from tests.support.runtimes import INSTALLED_RUNTIMES


@pytest.fixture
def pixels(tmp_path: Path) -> Path:
    path = tmp_path / "pixels.npy"
    np.save(path, drawn_scenes(3, InputSize()))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("runtime", INSTALLED_RUNTIMES)
def test_outputs_are_those_of_the_network(pixels: Path, runtime: str) -> None:
    found = measured_detector(shipped_detector(), pixels, runtime)
    assert isinstance(found, DetectorMeasured)
    assert found.latency_ms > 0
    assert found.outputs.codes.shape == (3, point_count(InputSize()), 4)
    network = FaceNetwork(shipped_detector(), runtime)
    for index, picture in enumerate(np.load(pixels)):
        logits, codes = network.outputs(picture[..., 0])
        np.testing.assert_array_equal(found.outputs.logits[index], logits)
        np.testing.assert_array_equal(found.outputs.codes[index], codes)


def test_reason_for_a_failure_is_returned(pixels: Path) -> None:
    found = measured_detector(shipped_model(), pixels, INSTALLED_RUNTIMES[0])
    assert isinstance(found, str)
    assert "is invalid" in found
