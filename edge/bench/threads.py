"""Measures detection and classification with one, two, and four threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

import cv2
import numpy as np

from edge.bench.results import ThreadFigures
from edge.camera.source import Frame
from edge.classification.classifier import load_classifier
from edge.config.settings import Settings, change
from edge.detection.face_detector import Finder
from edge.detection.load_detector import load_detector

COUNTS = (1, 2, 4)
#: In each round every thread count is measured once. An additional first round is not counted.
ROUNDS = 20


def thread_figures(settings: Settings, frames: Sequence[Frame]) -> list[ThreadFigures]:
    """Measure detection on `frames`, and classification of a crop of the model's input size.

    Afterwards OpenCV is left with one thread.
    """
    detector = load_detector(settings.detector).finder
    models = {
        count: load_classifier(change(settings, classifier={"threads": count})) for count in COUNTS
    }
    size = models[1].card.input
    face = np.full((size.height, size.width, 3), 128, np.uint8)
    taken: dict[int, list[tuple[float, float, float, float]]] = {count: [] for count in COUNTS}
    for number in range(ROUNDS + 1):
        frame = frames[number % len(frames)]
        for count in COUNTS:
            cv2.setNumThreads(count)
            search = _timed(partial(_search, detector, frame))
            read = _timed(partial(models[count].classify_crop, face))
            if number:
                taken[count].append((*search, *read))
    cv2.setNumThreads(1)
    return [
        ThreadFigures(count, *(round(float(ms), 3) for ms in np.median(taken[count], axis=0)))
        for count in COUNTS
    ]


def _search(detector: Finder, frame: Frame) -> None:
    detector.search(detector.to_luma(frame))


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the wall time and the processor time of all threads, in milliseconds."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    work()
    return 1000.0 * (time.perf_counter() - wall_s), 1000.0 * (time.process_time() - cpu_s)
