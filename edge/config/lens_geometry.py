"""From the door to the detector: how small a face can be, and how wide a picture shows it well.

A face that is `d` metres from a camera that sees `view_deg` degrees from left to right takes
w / (2 d tan(view / 2)) of the picture's width.
"""

from __future__ import annotations

import math

#: The narrowest face of an adult: between the cheekbones women measure 130.1 ± 3.5 mm, men 133.8 ±
#: 4.6 (doi.org/10.1186/s40902-019-0191-7, table 9); two standard deviations below.
FACE_M = 0.123
#: Nearer than this, in metres, nobody's farthest place is.
MIN_DISTANCE_M = 0.3
#: So many pixels of it the cascade must get: its window is 20, and its steps are a tenth.
FACE_PX = 22
#: Below 160 px little more than the glance at what moves is left; above 1280 px a whole search
#: takes more than ten times as long as at 320.
MIN_PX, MAX_PX = 160, 1280


def smallest_face(farthest_m: float, view_deg: float) -> float:
    """The width of a face `farthest_m` metres away, as a share of the picture's width."""
    seen_m = 2.0 * farthest_m * math.tan(math.radians(view_deg) / 2.0)
    return min(1.0, FACE_M / seen_m)


def working_width(min_face: float) -> int:
    """The width in pixels at which a face of this share of the picture can still be found."""
    return max(MIN_PX, math.ceil(FACE_PX / min_face))


def farthest(view_deg: float) -> float:
    """The distance in metres, rounded down to a tenth, up to which `MAX_PX` are enough."""
    return math.floor(10.0 * smallest_face(1.0, view_deg) * MAX_PX / FACE_PX) / 10.0
