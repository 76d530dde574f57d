"""How much a reading is worth: the worse a face can be seen, the less its label counts.

Each measure below gives a weight between 0 and 1 on a straight line between a value that is
no evidence and one from which on the face is seen well enough; the reading's weight is the
least of them. Where the lines run was measured with the shipped 2-class model on held-out
photographs (376 bare and 575 masked faces; those at least 64 px wide, 102 and 207, made
worse step by step): what matters is the share of bare faces that still reach the alert
threshold, 96% of the good ones. Masked faces hardly ever reach it however badly they are
seen (0 to 4%): poor evidence makes bare faces look masked, not masked ones bare.

- tiny: faces as they come reached 83% with a box of 21 to 26 px and half (of 4) below, as
  against 94% from 26 px on; sharp pictures scaled down held on to 94% down to 16 px.
- cut by the frame's lower edge: 96% with a tenth of the box cut off, 90% with a fifth, 36%
  with three tenths, when the mouth is gone; at the sides and the top 94 and 92% with three
  tenths, 75 and 72% with half.
- dark (a camera's noise kept, the light taken): mean grey 24: 94%, 18: 85%, 13: 61%, 9: 22%.
- flat, as in fog or against the light: spread of 10 grey levels: 87%, 5: 24%, 3: none.
- overexposed: half of the face white: 88%, two thirds: 69%, three quarters: 59%.
- blurred: out of focus by 6% of the face's width 92% (sharpness 0.12), 10% 82% (0.034),
  16% 54% (0.013). Blur by motion shows less in this measure, and does less harm.
- an odd box: of the boxes that the cascade's fewest hits bring (4) half hold a face, of those
  with 5 to 8 three quarters, from 9 on nine tenths, from 13 on all but one in 300. A box much
  larger or smaller than its track's is the tracker's to see.

Over all of these together (9,000 crops, most of them made worse) the bare faces that reach the
threshold are 31% at weight 0, 74% up to a half, 90% above, 94% at full weight; those that look
masked 46, 10, 5 and 3%.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge.common.arrays import Box, Pixels
from edge.detection.face_detector import Face

#: Each: no evidence at the first, full weight at the second. Reasons above.
WIDTH_SHARES = 0.15, 0.27  # of the model's input width: 14 and 26 px of 96
CUT_OFF_BELOW = 0.3, 0.1  # of the box
CUT_OFF_BESIDE = 0.5, 0.2  # of the box, at the top, left or right
LUMAS = 8.0, 24.0  # mean grey of 255
SPREADS = 4.0, 12.0  # standard deviation of the grey levels
WHITES = 0.8, 0.3  # share of the pixels
SHARPNESSES = 0.015, 0.1
SUPPORTS = -1.0, 9.0  # 4, the fewest that `detector.min_neighbors = 3` lets through: half

#: A pixel from here on is white.
WHITE = 250
#: The face's middle: the crop without this share at each side, which is background and hair.
RIM = 1 / 6
#: Sharpness is looked for at this size, pixels: finer detail is noise and compression, and
#: is missing from small faces that are seen well enough.
COARSE_PX = 24


@dataclass(frozen=True)
class Quality:
    """What was measured of one face; shares are 0 to 1, grey levels 0 to 255.

    `sharpness` is the variance of the Laplacian over that of the grey levels, in the face's
    middle at 16 px: how much of what is there is detail.
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
        """What a reading of this face is worth, 0 to 1: the least of what each measure says."""
        return min(
            _between(self.width_share, *WIDTH_SHARES),
            _between(self.cut_off_below, *CUT_OFF_BELOW),
            _between(self.cut_off_beside, *CUT_OFF_BESIDE),
            _between(self.luma, *LUMAS),
            _between(self.spread, *SPREADS),
            _between(self.white, *WHITES),
            _between(self.sharpness, *SHARPNESSES),
            _between(self.support, *SUPPORTS),
        )


def measure_quality(face: Face, crop_rgb: Pixels, size_px: tuple[int, int]) -> Quality:
    """The quality of `face` in a frame of `size_px` (height, width).

    `crop_rgb` is what the model is given of it, (h, w, 3) uint8.
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
        # A flat crop has no detail to speak of: one grey level of spread at least.
        sharpness=float(detail.var()) / max(1.0, float(_middle(np.asarray(coarse)).var())),
        support=float(face.support),
    )


def _between(value: float, nothing: float, full: float) -> float:
    """0 at `nothing`, 1 at `full`, whichever is larger, and straight in between."""
    return min(1.0, max(0.0, (value - nothing) / (full - nothing)))


def _middle(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    height, width = pixels.shape
    top, left = int(RIM * height), int(RIM * width)
    return pixels[top : height - top, left : width - left]


def _cut_off(box_px: Box, size_px: tuple[int, int]) -> tuple[float, float]:
    """The shares of the box beyond the frame's lower edge, and beyond the worst of the others."""
    x, y, w, h = box_px
    height, width = size_px
    beside = max(-x / w, (x + w - width) / w, -y / h)
    return max(0.0, (y + h - height) / h), max(0.0, beside)
