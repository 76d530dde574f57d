"""A Haar cascade of OpenCV as a face detector."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.common.arrays import Box, Pixels
from edge.common.errors import UserError, first_line
from edge.common.paths import user_path
from edge.config.settings import DetectorSettings
from edge.detection.face_detector import Face, without_overlaps
from edge.detection.luma import Luma
from edge.detection.luma_detector import LumaDetector
from edge.inference.model_file import digest, read_model
from edge.inference.trial import require_trial

#: The frontal cascade of OpenCV that finds the most faces in the time that it takes. Measured in
#: 240 annotated photographs with a scale factor of 1.1, a width of 320 px, and faces from 7% of the
#: width on: `alt2` with 3 neighbours found 61% of the bare faces and 6 false boxes per 100
#: photographs; `default` with 4 neighbours found 59% and 8 false boxes; `alt` with 3 neighbours
#: found 62% and 4 false boxes, but took a fifth more time. Twelve of the best settings were run on
#: clips: the defaults of `detector` are the cheapest of these settings with which alerts come
#: within 0.3 s of the alerts of a full search. See "The detector" in training/EXPERIMENTS.md.
DEFAULT_CASCADE = "haarcascade_frontalface_alt2.xml"
#: The digest of this file, which is the same in all releases of OpenCV 4 that can be installed.
DEFAULT_CASCADE_SHA256 = "sha256:7b0c967d9abbdfbde025eb9c786947d151b6426040d07a8f9562ed8fd90724b4"
#: A search within `reach` face widths of a predicted face finds faces whose width is at least
#: `1 - SHRINK_PER_REACH * reach` and at most `1 + GROWTH_PER_REACH * reach` times the predicted
#: width.
SHRINK_PER_REACH, GROWTH_PER_REACH = 0.5, 0.65
#: Bounds of the two factors by which the predicted width is multiplied.
MIN_SIZE_FACTOR, MAX_SIZE_FACTOR = 0.7, 1.5
#: Side of the window that the cascades were trained with.
MIN_SIDE_PX = 20


class HaarDetector(LumaDetector):
    """A Haar cascade of OpenCV, run on a grey image scaled down to a working width."""

    def __init__(self, settings: DetectorSettings) -> None:
        """Load the cascade; raises UserError if the file is missing, damaged, or no cascade.

        A cascade other than the default one is tried in a child process first.
        """
        path = user_path(settings.cascade) if settings.cascade else default_cascade()
        _require_usable(path)
        self._cascade = load_cascade(path)
        self.name = path.name
        super().__init__(settings)

    def search(self, luma: Luma) -> list[Face]:
        """Return all faces that are at least `min_face` of the frame's width wide."""
        side_px = self._min_side_px(luma)
        return without_overlaps(self._detect(luma.pixels, luma.scale, (0, 0), side_px, 0))

    def search_region(self, luma: Luma, region: Box) -> list[Face]:
        """Return the faces in `region` that are at least `min_face` of the frame's width wide."""
        height, width = luma.pixels.shape
        x, y, w, h = region
        corners = (x * width, y * height, (x + w) * width, (y + h) * height)
        return self._search_between(luma, corners, self._min_side_px(luma), 0)

    def search_near(self, luma: Luma, box_px: Box, reach: float) -> list[Face]:
        """Return the faces around `box_px`; a larger `reach` allows a wider range of sizes."""
        x, y, w, h = (v * luma.scale for v in box_px)
        around = reach * max(w, h)
        corners = (x - around, y - around, x + w + around, y + h + around)
        min_px = round(max(MIN_SIZE_FACTOR, 1.0 - SHRINK_PER_REACH * reach) * w)
        max_px = round(min(MAX_SIZE_FACTOR, 1.0 + GROWTH_PER_REACH * reach) * w)
        min_px = max(self._min_side_px(luma), min_px)
        return self._search_between(luma, corners, min_px, max(min_px, MIN_SIDE_PX, max_px))

    def _search_between(self, luma: Luma, corners: Box, min_px: int, max_px: int) -> list[Face]:
        """Return the faces between `corners`: left, top, right, bottom in pixels of `luma`."""
        height, width = luma.pixels.shape
        left, top = max(0, int(corners[0])), max(0, int(corners[1]))
        right, bottom = min(width, int(corners[2])), min(height, int(corners[3]))
        if right - left < MIN_SIDE_PX or bottom - top < MIN_SIDE_PX:
            return []
        region = luma.pixels[top:bottom, left:right]
        return without_overlaps(self._detect(region, luma.scale, (left, top), min_px, max_px))

    def _min_side_px(self, luma: Luma) -> int:
        width = int(luma.pixels.shape[1])
        return max(1, round(self._settings.min_face * width))

    def _detect(
        self, grey: Pixels, scale: float, corner: tuple[int, int], min_px: int, max_px: int
    ) -> list[Face]:
        """Run the cascade on `grey`, the part of the luma image that starts at `corner`.

        Faces are between `min_px` and `max_px` wide; 0 means no bound. Raises UserError if OpenCV
        fails.
        """
        try:
            boxes, supports = self._cascade.detectMultiScale2(
                grey,
                scaleFactor=self._settings.scale_factor,
                minNeighbors=self._settings.min_neighbors,
                minSize=(min_px, min_px),
                maxSize=(max_px, max_px),
            )
        except cv2.error as error:
            raise UserError(f"OpenCV cannot search with {self.name}: {first_line(error)}") from None
        left, top = corner
        return [
            Face(((x + left) / scale, (y + top) / scale, w / scale, h / scale), int(n))
            for (x, y, w, h), n in zip(boxes, np.ravel(supports), strict=True)
        ]


def default_cascade() -> Path:
    """Return the path of the default cascade, which is part of OpenCV 4."""
    return Path(cv2.__file__).parent / "data" / DEFAULT_CASCADE


def _require_usable(path: Path) -> None:
    """Raise UserError if the file cannot be read, is damaged, or crashes OpenCV."""
    if digest(read_model(path, "cascade file", "detector.cascade")) == DEFAULT_CASCADE_SHA256:
        return
    if path == default_cascade():
        raise UserError(
            f"{path} is damaged: it does not have the digest of OpenCV's file; install"
            " opencv-python-headless again"
        )
    require_trial("edge.detection.opencv_trial", ["cascade", str(path)], path)


def load_cascade(path: Path) -> cv2.CascadeClassifier:
    """Load a cascade that is known to be undamaged, or in a process that may crash.

    Raises UserError if OpenCV cannot read it.
    """
    try:
        cascade = cv2.CascadeClassifier(str(path))
    except (cv2.error, SystemError):  # OpenCV's binding wraps a parse error in a SystemError
        cascade = None
    if cascade is None or cascade.empty():
        raise UserError(f"{path} is not a Haar cascade that OpenCV can read")
    return cascade
