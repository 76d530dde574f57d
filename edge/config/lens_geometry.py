"""Derive the narrowest face and the width of the search from the distance of the farthest face.

If the horizontal field of view of a camera is `view_deg` degrees, a face of width w at distance d
occupies w / (2 d tan(view / 2)) of the picture's width.
"""

from __future__ import annotations

import math

#: Width of a narrow adult face in metres: two standard deviations below the mean width across the
#: cheekbones, which is 130.1 ± 3.5 mm for women and 133.8 ± 4.6 mm for men
#: (doi.org/10.1186/s40902-019-0191-7, table 9).
FACE_M = 0.123
#: Least distance in metres that is accepted as the distance of the farthest face.
MIN_DISTANCE_M = 0.3
#: Width of a face in pixels that the cascade needs: its window is 20 pixels wide and is enlarged in
#: steps of a tenth.
FACE_PX = 22
#: Limits of the search width. Below 160 pixels the search costs so little that nearly all of the
#: remaining cost is that of the detection of motion; above 1280 pixels a search of the whole
#: picture takes over ten times as long as at 320.
MIN_PX, MAX_PX = 160, 1280


def face_width_fraction(distance_m: float, view_deg: float) -> float:
    """Return the width of a face at `distance_m`, as a fraction of the picture's width."""
    visible_m = 2.0 * distance_m * math.tan(math.radians(view_deg) / 2.0)
    return min(1.0, FACE_M / visible_m)


def search_width_px(min_face: float) -> int:
    """Return the least width of the searched picture at which a face is found.

    `min_face` is the width of the face as a fraction of the picture's width.
    """
    return max(MIN_PX, math.ceil(FACE_PX / min_face))


def max_distance_m(view_deg: float) -> float:
    """Return the greatest distance for which `MAX_PX` are enough, rounded down to 0.1 m."""
    return math.floor(10.0 * face_width_fraction(1.0, view_deg) * MAX_PX / FACE_PX) / 10.0
