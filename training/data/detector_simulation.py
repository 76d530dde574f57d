"""The box that the detector on the Pi would draw around an annotated face: measured and simulated.

The classifier never sees an annotator's box. The classifier sees the box of a Haar detector, which
is square, larger than the annotated box, and slightly shifted. Measured with
`haarcascade_frontalface_alt2` on the annotated faces of a thousand photographs, with s = sqrt(width
* height) of the annotated box: the side is 1.15 s (standard deviation 0.18 s), and the centre is
moved by -0.01 s in x and -0.05 s in y (standard deviations 0.07 s and 0.08 s).

The boxes of the network are framed alike (`edge.detection.tight_boxes`), so one simulation serves
both. On 443 photographs of the train split of scenes, the mean side was 1.22 s (standard deviation
0.20 s, 625 faces) with the network and 1.20 s (0.20 s, 283 faces) with the cascade; the mean
shifts of the centre were at most 0.01 s in x and -0.04 s in y with the network, and 0.01 s and
-0.07 s with the cascade.
"""

from __future__ import annotations

import math

from edge.common.arrays import Box

#: The margin that the shipped model is trained with; it is stored in the model card.
MARGIN = 0.12

SIDE = 1.15
SHIFT_X, SHIFT_Y = -0.01, -0.05
#: The standard deviations above, as fractions of the side of the *detector's* box.
SIDE_SPREAD = 0.18 / SIDE
SHIFT_SPREAD_X, SHIFT_SPREAD_Y = 0.07 / SIDE, 0.08 / SIDE

#: In pictures that are face crops (face-mask-12k), the side of the centred Haar box as a share of
#: the picture's side.
FRAMED_SHARE = 0.945


def box_of_annotation(box_px: Box) -> Box:
    """Return the detector's mean box for an annotated face `box_px` (x, y, width, height)."""
    x, y, w, h = box_px
    size = math.sqrt(w * h)
    side = SIDE * size
    centre_x, centre_y = x + w / 2 + SHIFT_X * size, y + h / 2 + SHIFT_Y * size
    return centre_x - side / 2, centre_y - side / 2, side, side


def box_of_framed_picture(width: int, height: int) -> Box:
    """Return the detector's mean box in a picture, `width` x `height` pixels, that is a
    face crop.
    """
    w, h = FRAMED_SHARE * width, FRAMED_SHARE * height
    return (width - w) / 2, (height - h) / 2, w, h


def intersection_over_union(a: Box, b: Box) -> float:
    """Return the intersection over union of two boxes, 0 to 1."""
    ax, ay, aw, ah = a
    bx, by, bw, bh = b
    across = min(ax + aw, bx + bw) - max(ax, bx)
    down = min(ay + ah, by + bh) - max(ay, by)
    if across <= 0 or down <= 0:
        return 0.0
    return across * down / (aw * ah + bw * bh - across * down)
