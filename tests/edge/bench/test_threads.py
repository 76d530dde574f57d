from __future__ import annotations

import cv2
import pytest

from edge.bench.measure import one_opencv_thread
from edge.bench.threads import thread_figures
from edge.camera.source import Frame
from edge.config.settings import Settings
from tests.support.footage.pictures import frames_without_mask

SETTINGS = Settings(device="door1")


@pytest.mark.slow
def test_thread_counts_are_measured_and_restored() -> None:
    shown = [
        Frame(image, index * 0.1, index) for index, image in enumerate(frames_without_mask()[:2])
    ]
    with one_opencv_thread():
        found = thread_figures(SETTINGS, shown)
        assert cv2.getNumThreads() == 1
    assert [each.threads for each in found] == [1, 2, 4]
    assert all(each.detect_ms > 0.0 and each.classify_cpu_ms > 0.0 for each in found)
