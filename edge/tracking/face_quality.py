"""The weight of a reading: the less clearly a face is visible, the less its label counts.

Each measure below is mapped to a weight that rises linearly from 0, at a value where a face is no
evidence, to 1, at a value where it is visible well enough. The weight of a reading is the smallest
of these weights. The values were chosen by measurements with the shipped 2-class model on held-out
photographs: 335 bare and 543 masked faces, of which those at least 64 px wide (134 and 274) were
degraded step by step. The percentages below are the shares of the bare faces that still reach the
alert threshold; without degradation the share is 96%. Of the masked faces only 0 to 3% reach the
threshold, however degraded they are: poor visibility makes bare faces look masked, but does not
make masked faces look bare.

- Small faces: the share is 94 to 96% with boxes of 32 px and more, 100% (of 24 faces) with boxes of
  26 to 32 px, and 8 of 9 faces with smaller ones. For sharp faces that were scaled down to 16 px,
  the share is 93%.
- Faces cut off by the lower edge of the frame: the share is 96% if a tenth of the box is cut off,
  89% if a fifth is, and 49% if three tenths are, because the mouth is then no longer visible.
- Faces cut off at a side or at the top: if three tenths of the box are cut off, the share is 94% at
  a side and 93% at the top; if half of the box is cut off, the share is 69% at a side and 55% at
  the top.
- Dark faces (with less light, but the unchanged noise of the camera, of 3 grey levels): the share
  is 93% at a mean grey level of 9, 87% at 7, 80% at 5, 70% at 4, and 43% at 3.
- Faces with low contrast, as in fog or against the light: at a mean grey level of 128, the share is
  90% at a standard deviation of 8 grey levels, 82% at 6, 72% at 5, 52% at 4, and 22% at 3. In the
  dark the standard deviation falls with the light, and does no harm beyond that of the dark: so it
  is compared with the mean.
- Overexposed faces: the share is 85% if half of the face is white, 74% if two thirds are, and 67%
  if three quarters are.
- Blurred faces: the share is 90% if the face is out of focus by 6% of its width (sharpness 0.11),
  78% if it is out of focus by 10% (sharpness 0.032), and 59% if by 16% (sharpness 0.012). Motion
  blur reduces the measured sharpness less than defocus, and does less harm.
- Boxes with little support: of the boxes with the smallest support that the cascade returns (4),
  half contain a face; of those with a support of 5 to 8, three quarters do; from 9 on, nine tenths;
  and from 13 on, all but one in 300. `edge.tracking.track_state` handles boxes that are much larger
  or smaller than their track.
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
LUMAS = 3.0, 9.0  # mean grey level, 0 to 255
CONTRASTS = 0.025, 0.065  # standard deviation of the grey levels divided by their mean
WHITES = 0.8, 0.3  # share of the pixels that are white
SHARPNESSES = 0.015, 0.1
#: Neighbouring detections of the cascade. A face has at least 4 of them (a detection and the 3 of
#: `detector.min_neighbors`), and then a weight of 0.5.
SUPPORTS = -1.0, 9.0

#: Grey level from which on a pixel counts as white.
WHITE = 250
#: Share of the crop at each side that is left out, because it shows background and hair.
RIM = 1 / 6
#: Width and height in pixels to which the crop is scaled before its sharpness is measured: finer
#: detail is noise and compression artefacts, and is absent from small faces that are visible well
#: enough.
COARSE_PX = 24
#: Side of the picture by which two crops are compared: still things look the same, and people who
#: stand at the same place do not.
APPEARANCE_PX = 16


@dataclass(frozen=True)
class Quality:
    """The measures of one face; shares are 0 to 1, grey levels 0 to 255.

    `luma` is the mean grey level, and `contrast` the standard deviation divided by the mean.
    `sharpness` is the variance of the Laplacian divided by that of the grey levels, in the middle
    of the face, scaled to 16 px. `cut_off_below` is the share of the box that is cut off by the
    lower edge of the frame, and `cut_off_beside` is the largest share that another edge cuts off.
    """

    width_share: float
    cut_off_below: float
    cut_off_beside: float
    luma: float
    contrast: float
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
            _ramp(self.contrast, *CONTRASTS),
            _ramp(self.white, *WHITES),
            _ramp(self.sharpness, *SHARPNESSES),
            _ramp(self.support, *SUPPORTS),
        )


def measure_quality(face: Face, crop_rgb: Pixels, size_px: tuple[int, int]) -> Quality:
    """Return the quality of `face` in a frame of `size_px` (height, width).

    `crop_rgb` is the crop of the face that the model gets, (height, width, 3) uint8.
    """
    grey = cv2.cvtColor(crop_rgb, cv2.COLOR_RGB2GRAY)
    middle = _middle(np.asarray(grey))
    luma, spread = _mean_and_deviation(middle)
    white = np.count_nonzero(middle >= WHITE) / middle.size
    coarse = cv2.resize(grey, (COARSE_PX, COARSE_PX), interpolation=cv2.INTER_AREA)
    _, structure = _mean_and_deviation(_middle(np.asarray(coarse)))
    _, detail = _mean_and_deviation(_middle(np.asarray(cv2.Laplacian(coarse, cv2.CV_16S))))
    below, beside = _cut_off(face.box_px, size_px)
    return Quality(
        width_share=face.box_px[2] / crop_rgb.shape[1],
        cut_off_below=below,
        cut_off_beside=beside,
        luma=luma,
        contrast=spread / max(1.0, luma),
        white=white,
        # The lower bound of 1 keeps the noise of a flat crop from looking like detail.
        sharpness=detail**2 / max(1.0, structure**2),
        support=float(face.support),
    )


def appearance_of(crop_rgb: Pixels) -> bytes:
    """Return a coarse grey picture of a crop, `APPEARANCE_PX` pixels square, by rows."""
    size = (APPEARANCE_PX, APPEARANCE_PX)
    coarse = cv2.resize(crop_rgb, size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(coarse, cv2.COLOR_RGB2GRAY).tobytes()


def _ramp(value: float, zero_at: float, one_at: float) -> float:
    """Map `zero_at` to 0 and `one_at` to 1, linearly in between; either may be the larger."""
    return min(1.0, max(0.0, (value - zero_at) / (one_at - zero_at)))


def _mean_and_deviation(pixels: npt.NDArray[Any]) -> tuple[float, float]:
    # Several times as fast as NumPy's functions for such small pictures.
    mean, deviation = cv2.meanStdDev(pixels)
    return float(mean[0, 0]), float(deviation[0, 0])


def _middle(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    height, width = pixels.shape
    top, left = int(RIM * height), int(RIM * width)
    return pixels[top : height - top, left : width - left]


def _cut_off(box_px: Box, size_px: tuple[int, int]) -> tuple[float, float]:
    """Return the share cut off by the lower edge, and the largest share cut off by another edge."""
    x, y, w, h = box_px
    height, width = size_px
    beside = max(-x / w, (x + w - width) / w, -y / h)
    return max(0.0, (y + h - height) / h), max(0.0, beside)
