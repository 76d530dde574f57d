"""The weight of a reading: the less clearly a face is visible, the less its label counts.

Each measure below is mapped to a weight that rises linearly from 0, at a value where a face is no
evidence, to 1, at a value where it is visible well enough. The weight of a reading is the smallest
of these. The values were chosen by measurements with the shipped 2-class model on held-out
photographs: 376 bare and 575 masked faces, of which those at least 64 px wide (102 and 207) were
degraded step by step. The percentages below are the shares of the bare faces that still reach the
alert threshold; without degradation the share is 96%. Masked faces hardly ever reach the
threshold, however degraded they are (0 to 4%): poor visibility makes bare faces look masked, and
does not make masked faces look bare.

- Small faces: in the photographs as they are, 83% with a box of 21 to 26 px and half (of 4 faces)
  below 21 px, compared with 94% from 26 px on. In sharp photographs that were scaled down, still
  94% at 16 px.
- Faces cut off by the lower edge of the frame: 96% with a tenth of the box cut off, 90% with a
  fifth, 36% with three tenths, where the mouth is no longer visible. Cut off at the sides and at
  the top: 94% and 92% with three tenths of the box, 75% and 72% with half of it.
- Dark faces (less light, with the noise of the camera unchanged): 94% at a mean grey level of 24,
  85% at 18, 61% at 13, 22% at 9.
- Low contrast, as in fog or against the light: 87% at a standard deviation of 10 grey levels,
  24% at 5, none at 3.
- Overexposed faces: 88% with half of the face white, 69% with two thirds, 59% with three quarters.
- Blurred faces: out of focus by 6% of the face width 92% (sharpness 0.12), by 10% 82% (0.034), by
  16% 54% (0.013). Motion blur changes the measured sharpness less, and does less harm.
- Boxes with few detections: of the boxes with the smallest support that the cascade returns (4),
  half contain a face; of those with 5 to 8, three quarters; from 9 on, nine tenths; from 13 on,
  all but one in 300. The tracker handles boxes that are much larger or smaller than their track.

For all degradations together (9,000 crops, most of them degraded), the share of the bare faces
that reach the threshold is 31% at weight 0, 74% at weights up to 0.5, 90% at larger weights, and
94% at full weight. The share of the bare faces that look masked is 46%, 10%, 5% and 3%.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge.common.arrays import Box, Pixels
from edge.detection.face_detector import Face

#: For each measure: the value with weight 0 and the value with weight 1. The module's docstring
#: gives the measurements.
WIDTH_SHARES = 0.15, 0.27  # of the model's input width: 14 and 26 of 96 px
CUT_OFF_BELOW = 0.3, 0.1  # of the box
CUT_OFF_BESIDE = 0.5, 0.2  # of the box, at the top, left or right
LUMAS = 8.0, 24.0  # mean grey level, 0 to 255
SPREADS = 4.0, 12.0  # standard deviation of the grey levels
WHITES = 0.8, 0.3  # share of the pixels that are white
SHARPNESSES = 0.015, 0.1
SUPPORTS = -1.0, 9.0  # weight 0.5 at 4, the minimum with `detector.min_neighbors = 3`

#: Grey level from which on a pixel counts as white.
WHITE = 250
#: Share of the crop at each side that is left out, because it shows background and hair.
RIM = 1 / 6
#: Width and height in pixels to which the crop is scaled before its sharpness is measured: finer
#: detail is noise and compression artefacts, and small faces that are visible well enough lack it.
COARSE_PX = 24


@dataclass(frozen=True)
class Quality:
    """The measures of one face; shares are 0 to 1, grey levels 0 to 255.

    `sharpness` is the variance of the Laplacian divided by that of the grey levels, in the middle
    of the face, scaled to 16 px. `cut_off_below` and `cut_off_beside` are the shares of the box
    beyond the lower edge of the frame and beyond the worst of its other edges.
    """

    width_share: float
    cut_off_below: float
    cut_off_beside: float
    luma: float
    spread: float
    white: float
    sharpness: float
    support: float

    @property
    def weight(self) -> float:
        """The weight of a reading of this face, 0 to 1: the smallest weight of any measure."""
        return min(
            _ramp(self.width_share, *WIDTH_SHARES),
            _ramp(self.cut_off_below, *CUT_OFF_BELOW),
            _ramp(self.cut_off_beside, *CUT_OFF_BESIDE),
            _ramp(self.luma, *LUMAS),
            _ramp(self.spread, *SPREADS),
            _ramp(self.white, *WHITES),
            _ramp(self.sharpness, *SHARPNESSES),
            _ramp(self.support, *SUPPORTS),
        )


def measure_quality(face: Face, crop_rgb: Pixels, size_px: tuple[int, int]) -> Quality:
    """Return the quality of `face` in a frame of `size_px` (height, width).

    `crop_rgb` is the crop of the face that the model gets, (height, width, 3) uint8.
    """
    grey = cv2.cvtColor(crop_rgb, cv2.COLOR_RGB2GRAY)
    middle = _middle(np.asarray(grey, np.uint8))
    coarse = cv2.resize(grey, (COARSE_PX, COARSE_PX), interpolation=cv2.INTER_AREA)
    detail = _middle(np.asarray(cv2.Laplacian(coarse, cv2.CV_32F)))
    below, beside = _cut_off(face.box_px, size_px)
    return Quality(
        width_share=face.box_px[2] / crop_rgb.shape[1],
        cut_off_below=below,
        cut_off_beside=beside,
        luma=float(middle.mean()),
        spread=float(middle.std()),
        white=float(np.mean(middle >= WHITE)),
        # The lower bound of 1 keeps the noise of a flat crop from looking like detail.
        sharpness=float(detail.var()) / max(1.0, float(_middle(np.asarray(coarse)).var())),
        support=float(face.support),
    )


def _ramp(value: float, zero_at: float, one_at: float) -> float:
    """Map `zero_at` to 0 and `one_at` to 1, linearly in between; either may be the larger."""
    return min(1.0, max(0.0, (value - zero_at) / (one_at - zero_at)))


def _middle(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    height, width = pixels.shape
    top, left = int(RIM * height), int(RIM * width)
    return pixels[top : height - top, left : width - left]


def _cut_off(box_px: Box, size_px: tuple[int, int]) -> tuple[float, float]:
    """Return the shares of the box beyond the lower edge and beyond the worst other edge."""
    x, y, w, h = box_px
    height, width = size_px
    beside = max(-x / w, (x + w - width) / w, -y / h)
    return max(0.0, (y + h - height) / h), max(0.0, beside)
