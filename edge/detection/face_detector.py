"""Where the faces are in a frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from edge.camera.source import Frame
from edge.common.arrays import Box, Pixels
from edge.common.errors import UserError
from edge.common.paths import kind_of, user_path
from edge.config.settings import DetectorSettings

#: Of OpenCV's frontal cascades the one that finds most for its time. At 1.1, 320 px, faces
#: from 7% on, in 240 annotated photographs: `alt2` with 3 neighbours 61% of the bare faces and
#: 6 false boxes per 100 pictures, `default` with 4 59% and 8, `alt` with 3 62% and 4, in a
#: fifth more time. Of the twelve best settings that were played on clips these defaults
#: are the cheapest whose alerts come within 0.3 s of a full search's: "The detector" in
#: training/EXPERIMENTS.md.
DEFAULT_CASCADE = "haarcascade_frontalface_alt2.xml"
#: A face may be off by so much of its width where it is expected, and its size by about as much in
#: proportion: from `1 - SMALLER * reach` to `1 + LARGER * reach` of its width, within bounds.
SMALLER, LARGER = 0.5, 0.65
SMALLEST, LARGEST = 0.7, 1.5
#: A camera rounds the width of its luma plane, and may have its own mind.
ENOUGH = 0.9
#: The window that the cascades were trained with.
MIN_SIDE_PX = 20


@dataclass(frozen=True)
class Face:
    """A face in a frame: x, y, width, height in pixels of the full frame.

    `support` counts the raw detections behind the box: more means surer.
    """

    box_px: Box
    support: int


@dataclass(frozen=True)
class Luma:
    """The grey picture that is searched: (height, width) uint8, `scale` of its pixels for
    one of the frame."""

    pixels: Pixels
    scale: float


class FaceDetector(Protocol):
    """Finds faces; the Haar cascade is one, a learned detector can be another."""

    def to_luma(self, frame: Frame) -> Luma:
        """What this detector wants to see of a frame."""

    def search(self, luma: Luma) -> list[Face]:
        """All faces, surest first, none twice."""

    def search_region(self, luma: Luma, part: Box) -> list[Face]:
        """All faces within `part`: x, y, width, height as fractions of the picture."""

    def search_near(self, luma: Luma, box_px: Box, reach: float) -> list[Face]:
        """Faces about as large as one that was expected at `box_px` (pixels of the frame) and
        within `reach` of its width around it."""


class HaarDetector:
    """OpenCV's Haar cascade on a grey picture scaled down to a working width."""

    def __init__(self, settings: DetectorSettings) -> None:
        """Load the cascade; raises UserError when the file is missing or no cascade."""
        path = user_path(settings.cascade) if settings.cascade else default_cascade()
        if kind_of(path) != "file":
            raise UserError(
                f"no such cascade file: {path}; leave detector.cascade empty for OpenCV's own"
            )
        self._cascade = _load_cascade(path)
        self._settings = settings

    def find(self, image_bgr: Pixels) -> list[Face]:
        """All faces in a (height, width, 3) uint8 picture, surest first, none twice."""
        return self.search(_reduced(image_bgr, self._settings.width_px))

    def to_luma(self, frame: Frame) -> Luma:
        """Grey and at most as wide as the settings say; the camera's own, where it has one."""
        luma, max_px = frame.luma, self._settings.width_px
        # A plane that was ordered for another width may have too few pixels.
        if luma is None or luma.shape[1] < ENOUGH * min(max_px, frame.image_bgr.shape[1]):
            return _reduced(frame.image_bgr, max_px)
        if luma.shape[1] > max_px:
            size = (max_px, max(1, round(luma.shape[0] * max_px / luma.shape[1])))
            luma = np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)
        return Luma(luma, luma.shape[1] / frame.image_bgr.shape[1])

    def search(self, luma: Luma) -> list[Face]:
        """Faces at least `min_face` of the picture's width wide."""
        side = self._least_side(luma)
        return without_overlaps(self._found(luma.pixels, luma.scale, (0, 0), side, 0))

    def search_region(self, luma: Luma, part: Box) -> list[Face]:
        """Faces at least `min_face` of the whole picture's width wide."""
        height, width = luma.pixels.shape
        x, y, w, h = part
        corners = (x * width, y * height, (x + w) * width, (y + h) * height)
        return self._within(luma, corners, self._least_side(luma), 0)

    def search_near(self, luma: Luma, box_px: Box, reach: float) -> list[Face]:
        """Faces around `box_px`, a little larger or smaller by `SMALLER` and `LARGER`."""
        x, y, w, h = (v * luma.scale for v in box_px)
        around = reach * max(w, h)
        corners = (x - around, y - around, x + w + around, y + h + around)
        least = round(max(SMALLEST, 1.0 - SMALLER * reach) * w)
        most = round(min(LARGEST, 1.0 + LARGER * reach) * w)
        least = max(self._least_side(luma), least)
        return self._within(luma, corners, least, max(least, MIN_SIDE_PX, most))

    def _within(self, luma: Luma, corners: Box, least: int, most: int) -> list[Face]:
        """Faces between `corners`: left, top, right and bottom in pixels of `luma`."""
        height, width = luma.pixels.shape
        left, top = max(0, int(corners[0])), max(0, int(corners[1]))
        right, bottom = min(width, int(corners[2])), min(height, int(corners[3]))
        if right - left < MIN_SIDE_PX or bottom - top < MIN_SIDE_PX:
            return []
        region = luma.pixels[top:bottom, left:right]
        return without_overlaps(self._found(region, luma.scale, (left, top), least, most))

    def _least_side(self, luma: Luma) -> int:
        width = int(luma.pixels.shape[1])
        return max(1, round(self._settings.min_face * width))

    def _found(
        self, grey: Pixels, scale: float, corner: tuple[int, int], least: int, most: int
    ) -> list[Face]:
        """Faces in `grey`, whose corner lies at `corner` of the whole luma picture, between
        `least` and `most` pixels wide (0: no bound)."""
        boxes, supports = self._cascade.detectMultiScale2(
            grey,
            scaleFactor=self._settings.scale_factor,
            minNeighbors=self._settings.min_neighbors,
            minSize=(least, least),
            maxSize=(most, most),
        )
        left, top = corner
        return [
            Face(((x + left) / scale, (y + top) / scale, w / scale, h / scale), int(n))
            for (x, y, w, h), n in zip(boxes, np.ravel(supports), strict=True)
        ]


def _reduced(image_bgr: Pixels, width_px: int) -> Luma:
    height, width = image_bgr.shape[:2]
    scale = min(1.0, width_px / width)
    size = (round(width * scale), max(1, round(height * scale)))
    small: cv2.typing.MatLike = image_bgr
    if scale < 0.5:
        # First to twice the width: the mean of all pixels of a large picture, in odd shares,
        # takes longer than everything else here.
        small = cv2.resize(small, (2 * size[0], 2 * size[1]), interpolation=cv2.INTER_LINEAR)
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    if scale < 1.0:
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return Luma(np.asarray(grey, np.uint8), scale)


def without_overlaps(faces: list[Face]) -> list[Face]:
    """`faces` without those whose centre lies in a surer one, or the other way round.

    The cascade groups its detections by size, so one face can come back twice: once
    as itself and once as a larger or smaller box around its middle.
    """
    kept: list[Face] = []
    for face in sorted(faces, key=lambda f: (-f.support, f.box_px)):
        if not any(
            _contains_centre(k.box_px, face.box_px) or _contains_centre(face.box_px, k.box_px)
            for k in kept
        ):
            kept.append(face)
    return kept


def _contains_centre(outer: Box, inner: Box) -> bool:
    cx, cy = inner[0] + inner[2] / 2.0, inner[1] + inner[3] / 2.0
    return outer[0] <= cx <= outer[0] + outer[2] and outer[1] <= cy <= outer[1] + outer[3]


def default_cascade() -> Path:
    """The cascade that comes with OpenCV 4."""
    return Path(cv2.__file__).parent / "data" / DEFAULT_CASCADE


def _load_cascade(path: Path) -> cv2.CascadeClassifier:
    try:
        cascade = cv2.CascadeClassifier(str(path))
    except (cv2.error, SystemError):  # the binding wraps a parse error in a SystemError
        cascade = None
    if cascade is None or cascade.empty():
        raise UserError(f"{path} is not a Haar cascade that OpenCV can read")
    return cascade
