"""Derive the narrowest face and the width of the search from the distance of the farthest face.

If the horizontal field of view of a camera is `view_deg` degrees, a face of width w at distance d
occupies w / (2 d tan(view / 2)) of the picture's width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: Width of a narrow adult face in metres: two standard deviations below the mean width across the
#: cheekbones, which is 130.1 ± 3.5 mm for women and 133.8 ± 4.6 mm for men
#: (doi.org/10.1186/s40902-019-0191-7, table 9).
FACE_M = 0.123
#: Least distance in metres that is accepted as the distance of the farthest face.
MIN_DISTANCE_M = 0.3
#: Greatest search width in pixels: above it, a search of the whole picture takes over ten times as
#: long as at 320.
MAX_PX = 1280


@dataclass(frozen=True)
class DetectorNeeds:
    """What a detector needs: the width in pixels of a face, and the least width of the searched
    picture, below which a search costs no less.
    """

    face_px: int
    min_px: int


#: The window of the cascade is 20 pixels wide and is enlarged in steps of a tenth. Below 160 pixels
#: nearly all of the remaining cost is that of the detection of motion.
CASCADE = DetectorNeeds(face_px=22, min_px=160)
#: Of bare faces of 16 pixels, the network finds about two thirds, and the others as they come
#: nearer. Its input is 320 pixels wide.
NETWORK = DetectorNeeds(face_px=16, min_px=320)


def face_width_fraction(distance_m: float, view_deg: float) -> float:
    """Return the width of a face at `distance_m`, as a fraction of the picture's width."""
    visible_m = 2.0 * distance_m * math.tan(math.radians(view_deg) / 2.0)
    return min(1.0, FACE_M / visible_m)


def view_across_deg(view_deg: float, ratio: float) -> float:
    """Return the field of view along the other side of a picture, in degrees.

    `view_deg` is that along one side, and `ratio` the length of the other side divided by it.
    """
    return 2.0 * math.degrees(math.atan(ratio * math.tan(math.radians(view_deg) / 2.0)))


def search_width_px(min_face: float, needs: DetectorNeeds) -> int:
    """Return the least width of the searched picture at which a face is found.

    `min_face` is the width of the face as a fraction of the picture's width.
    """
    return max(needs.min_px, math.ceil(needs.face_px / min_face))


def max_distance_m(view_deg: float, needs: DetectorNeeds) -> float:
    """Return the greatest distance for which `MAX_PX` are enough, rounded down to 0.1 m."""
    return math.floor(10.0 * face_width_fraction(1.0, view_deg) * MAX_PX / needs.face_px) / 10.0
