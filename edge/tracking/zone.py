"""Where in the picture faces count: a polygon in fractions of the frame."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from edge.common.arrays import Box
from edge.common.errors import UsageError
from edge.tracking.alpha_beta_filter import box_centre

Point = tuple[float, float]

#: Corners are typed with a few decimals, and what is computed from them is off by far less:
#: closer to an edge than this share of the frame is on it.
ON_EDGE = 1e-9


class Zone:
    """A polygon of x and y as fractions of the frame; without corners, everywhere."""

    def __init__(self, corners: Sequence[Point]) -> None:
        """Check and keep `corners`.

        Raises UsageError for fewer than three, for edges that cross or touch, and for a
        polygon without area.
        """
        self._corners = tuple(corners)
        if self._corners:
            _check(self._corners)

    def holds(self, box_px: Box, size_px: tuple[int, int]) -> bool:
        """Whether the centre of `box_px` lies in the zone of a frame of `size_px` (height,
        width); on its edge counts as in."""
        height, width = size_px
        x, y = box_centre(box_px)
        return self.contains((x / width, y / height))

    def contains(self, point: Point) -> bool:
        """Whether `point`, in fractions of the frame, lies in the polygon or on its edge."""
        if not self._corners:
            return True
        inside = False
        for a, b in _edges(self._corners):
            if _on(point, a, b):
                return True
            # A ray to the right of the point crosses the outline an odd number of times.
            if (a[1] > point[1]) != (b[1] > point[1]):
                across = a[0] + (point[1] - a[1]) / (b[1] - a[1]) * (b[0] - a[0])
                inside ^= point[0] < across
        return inside


def _check(corners: Sequence[Point]) -> None:
    if len(corners) < 3:
        raise UsageError(
            f"`camera.zone` has {len(corners)} of at least 3 corners; leave it empty for everywhere"
        )
    edges = list(_edges(corners))
    for (i, first), (j, second) in itertools.combinations(enumerate(edges), 2):
        neighbours = j == i + 1 or (i == 0 and j == len(edges) - 1)
        if _meet(first, second) if not neighbours else _fold_back(first, second):
            raise UsageError(
                f"`camera.zone` crosses or touches itself between corners {i + 1} and"
                f" {j + 1}; give the corners in their order around it"
            )


def _edges(corners: Sequence[Point]) -> list[tuple[Point, Point]]:
    return list(zip(corners, (*corners[1:], corners[0]), strict=True))


def _turn(a: Point, b: Point, c: Point) -> float:
    """Twice the area of the triangle a, b, c: positive when it turns clockwise on the screen."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _on(point: Point, a: Point, b: Point) -> bool:
    return (
        abs(_turn(a, b, point)) <= ON_EDGE
        and min(a[0], b[0]) - ON_EDGE <= point[0] <= max(a[0], b[0]) + ON_EDGE
        and min(a[1], b[1]) - ON_EDGE <= point[1] <= max(a[1], b[1]) + ON_EDGE
    )


def _meet(first: tuple[Point, Point], second: tuple[Point, Point]) -> bool:
    (a, b), (c, d) = first, second
    if _on(a, c, d) or _on(b, c, d) or _on(c, a, b) or _on(d, a, b):
        return True
    return (_turn(a, b, c) > 0) != (_turn(a, b, d) > 0) and (_turn(c, d, a) > 0) != (
        _turn(c, d, b) > 0
    )


def _fold_back(first: tuple[Point, Point], second: tuple[Point, Point]) -> bool:
    """Whether two edges that share a corner lie on each other: a needle without area."""
    (a, b), (c, d) = first, second
    if a == b or c == d:
        return True
    return (_on(d, a, b) or _on(a, c, d)) if b == c else (_on(c, a, b) or _on(b, c, d))
