"""Makes the face detector that the settings describe."""

from __future__ import annotations

import platform
from pathlib import Path

from edge.common.paths import shipped_detector, user_path
from edge.config.settings import DetectorSettings
from edge.detection.face_detector import FaceDetector, Finder
from edge.detection.haar_detector import HaarDetector
from edge.detection.learned_detector import LearnedDetector
from edge.detection.yunet_detector import YuNetDetector

#: Names of 64-bit x86 processors, as `platform.machine` returns them.
X86 = ("x86_64", "AMD64")
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
        return _shipped(settings, sure=sure)
    path: Path = user_path(settings.model)
    if path.suffix.lower() == YUNET_SUFFIX:
        return YuNetDetector(path, settings, sure)
    return LearnedDetector(path, settings, sure=sure)


def _shipped(
    settings: DetectorSettings, machine: str = platform.machine(), sure: bool = False
) -> LearnedDetector:
    """Load the variant of the shipped network that is fastest in the runtime that is used.

    It is int8, except in tflite-runtime on x86-64, whose kernels for int8 use no SIMD instructions:
    there a search takes 24 ms with int8, and 2.1 ms with float16.
    """
    found = LearnedDetector(shipped_detector(), settings, sure=sure)
    if found.runtime == "tflite-runtime" and machine in X86:
        return LearnedDetector(shipped_detector("-float16"), settings, sure=sure)
    return found
