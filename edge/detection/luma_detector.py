"""What all detectors share that search the grey image of a frame."""

from __future__ import annotations

from abc import ABC, abstractmethod

from edge.camera.source import Frame
from edge.common.arrays import Pixels
from edge.config.settings import DetectorSettings
from edge.detection.face_detector import Face
from edge.detection.luma import Luma, luma_of, to_luma


class LumaDetector(ABC):
    """A finder whose `search` takes a grey image, at most `detector.width_px` wide."""

    def __init__(self, settings: DetectorSettings) -> None:
        """Keep the settings."""
        self._settings = settings

    def find(self, image_bgr: Pixels) -> list[Face]:
        """Return all faces in a (height, width, 3) uint8 image, those with the highest support
        first."""
        return self.search(to_luma(image_bgr, self._settings.width_px))

    def to_luma(self, frame: Frame) -> Luma:
        """Return the grey image that `search` takes, at most `detector.width_px` wide."""
        return luma_of(frame, self._settings.width_px)

    @abstractmethod
    def search(self, luma: Luma) -> list[Face]:
        """Return all faces that are at least `min_face` of the frame's width wide."""
