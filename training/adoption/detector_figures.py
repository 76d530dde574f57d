"""The figures of a face detector by which `adopt` compares it with another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge.common.errors import UsageError
from edge.detection.point_grid import InputSize
from training.adoption.comparison import Figure
from training.common.quiet_keras import load_model_file
from training.data.progress import with_progress
from training.data.splits import Split
from training.face_detector.detector_report_file import DetectorReport
from training.face_detector.evaluation.detection_metrics import FALSE_BOXES
from training.face_detector.pictures.boxed_pictures import BoxedPicture, BoxKind
from training.face_detector.pictures.decodable import decodable
from training.face_detector.pictures.read_pictures import of_split, read_boxed_pictures
from training.face_detector.validation_pictures import read_validation_pictures


def boxed_test_pictures(data: Sequence[Path]) -> list[BoxedPicture]:
    """Return the pictures of the test splits; raises UsageError if they show no face."""
    pictures = read_boxed_pictures(data)
    chosen = of_split(pictures, Split.TEST)
    if not any(each.of_kind(BoxKind.FACE) for each in chosen):
        raise UsageError("the test split of all data together has no picture with a face")
    return decodable(with_progress(chosen, "reading", "picture"), pictures)


def detector_figures(
    model: Path, report: DetectorReport, pictures: Sequence[BoxedPicture]
) -> list[Figure]:
    """Measure `model` on `pictures`, scaled to the size of its input."""
    channels = 1 if report.input.colour == "luma" else 3
    size = InputSize(report.input.width, report.input.height, channels)
    figures = read_validation_pictures(pictures, size).figures(load_model_file(model))
    recalls = [
        Figure(f"faces found, {n} false boxes in 100 pictures", figures[f"recall_at_{n}"])
        for n in FALSE_BOXES
    ]
    return [Figure("average precision, IoU 0.5", figures["score"], decides=True), *recalls]
