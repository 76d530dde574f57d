"""Makes the face detector that the settings describe."""

from __future__ import annotations

from pathlib import Path

from edge.common.paths import shipped_detector, user_path
from edge.config.settings import DetectorSettings
from edge.detection.face_detector import FaceDetector, Finder
from edge.detection.haar_detector import HaarDetector
from edge.detection.learned_detector import LearnedDetector
from edge.detection.yunet_detector import YuNetDetector
from edge.inference.shipped_variant import shipped_variant

#: The suffix of the files that OpenCV runs; all other files must be ours.
YUNET_SUFFIX = ".onnx"


def load_detector(settings: DetectorSettings, sure: bool = False) -> FaceDetector:
    """Load the parts of the detector that `detector.kind` names; `sure` as in `LearnedDetector`.

    Raises UserError if a file is missing, damaged, or not what it should be.
    """
    if settings.kind == "haar":
        return FaceDetector.of(HaarDetector(settings))
    follower = HaarDetector(settings) if settings.kind == "both" else None
    return FaceDetector(finder=_network(settings, sure), follower=follower)


def _network(settings: DetectorSettings, sure: bool) -> Finder:
    if not settings.model:
        return _shipped(settings, sure)
    path: Path = user_path(settings.model)
    if path.suffix.lower() == YUNET_SUFFIX:
        return YuNetDetector(path, settings, sure)
    return LearnedDetector(path, settings, sure=sure)


def _shipped(settings: DetectorSettings, sure: bool) -> LearnedDetector:
    found = LearnedDetector(shipped_detector(), settings, sure=sure)
    if variant := shipped_variant(found.runtime):
        return LearnedDetector(shipped_detector(variant), settings, sure=sure)
    return found
