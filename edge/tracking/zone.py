"""The zone: the part of the frame in which faces count, a polygon without excluded rectangles."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from edge.common.arrays import Box
from edge.common.errors import UsageError
from edge.config.settings import CameraSettings
from edge.tracking.alpha_beta_filter import box_centre

Point = tuple[float, float]
#: x, y, width, height, in fractions of the frame.
Rectangle = tuple[float, float, float, float]

#: A point closer to an edge than this, in fractions of the frame, lies on it. Corners are
#: configured with a few decimals, and rounding errors are far smaller than this.
EDGE_TOLERANCE = 1e-9
#: A rectangle may reach beyond the frame by this fraction of it: its numbers are rounded.
RECTANGLE_TOLERANCE = 0.005


class Zone:
    """A polygon of points (x, y) in fractions of the frame; without corners, the whole frame.

    Excluded rectangles do not belong to the zone: they cover posters, statues and screens.
    """

    def __init__(self, corners: Sequence[Point], excluded: Sequence[Rectangle] = ()) -> None:
        """Check and store `corners` and `excluded`.

        Raises UsageError for fewer than three corners, for edges that cross or touch each other,
        for a polygon without area, and for an excluded rectangle without area or outside of the
        frame.
        """
        self._corners, self._excluded = tuple(corners), tuple(excluded)
        if self._corners:
            _check(self._corners)
        for rectangle in self._excluded:
            _check_rectangle(rectangle)

    @classmethod
    def of(cls, settings: CameraSettings) -> Zone:
        """Return the zone that `settings` describe; raises UsageError if it is no polygon."""
        return cls(settings.zone, settings.excluded)

    def contains_face(self, box_px: Box, size_px: tuple[int, int]) -> bool:
        """Whether the centre of `box_px` lies in the zone or on its edge, in a frame of
        `size_px` (height, width)."""
        height, width = size_px
        x, y = box_centre(box_px)
        return self.contains((x / width, y / height))

    def contains(self, point: Point) -> bool:
        """Whether `point`, in fractions of the frame, lies in the zone or on its edge."""
        px, py = point
        if any(x <= px <= x + w and y <= py <= y + h for x, y, w, h in self._excluded):
            return False
        if not self._corners:
            return True
        inside = False
        for a, b in _edges(self._corners):
            if _is_on(point, a, b):
                return True
            # A point is inside if a ray from it to the right crosses an odd number of edges.
            if (a[1] > point[1]) != (b[1] > point[1]):
                across = a[0] + (point[1] - a[1]) / (b[1] - a[1]) * (b[0] - a[0])
                inside ^= point[0] < across
        return inside


def _check(corners: Sequence[Point]) -> None:
    if len(corners) < 3:
        raise UsageError(
            f"`camera.zone` needs at least 3 corners, but has {len(corners)};"
            " leave it empty to use the whole frame"
        )
    edges = list(_edges(corners))
    for (i, first), (j, second) in itertools.combinations(enumerate(edges), 2):
        neighbours = j == i + 1 or (i == 0 and j == len(edges) - 1)
        if _fold_back(first, second) if neighbours else _intersect(first, second):
            raise UsageError(
                f"`camera.zone` crosses or touches itself between corners {i + 1} and"
                f" {j + 1}; list the corners in their order around the zone"
            )


def _check_rectangle(rectangle: Rectangle) -> None:
    x, y, width, height = rectangle
    if width <= 0 or height <= 0 or max(x + width, y + height) > 1 + RECTANGLE_TOLERANCE:
        raise UsageError(
            f"`camera.excluded`: {list(rectangle)} is not a rectangle inside the picture; the four"
            " numbers are x, y, width and height, as fractions of the picture"
        )


def _edges(corners: Sequence[Point]) -> list[tuple[Point, Point]]:
    return list(zip(corners, (*corners[1:], corners[0]), strict=True))


def _cross(a: Point, b: Point, c: Point) -> float:
    """Return twice the area of the triangle a, b, c; positive if clockwise on the screen."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _is_on(point: Point, a: Point, b: Point) -> bool:
    return (
        abs(_cross(a, b, point)) <= EDGE_TOLERANCE
        and min(a[0], b[0]) - EDGE_TOLERANCE <= point[0] <= max(a[0], b[0]) + EDGE_TOLERANCE
        and min(a[1], b[1]) - EDGE_TOLERANCE <= point[1] <= max(a[1], b[1]) + EDGE_TOLERANCE
    )


def _intersect(first: tuple[Point, Point], second: tuple[Point, Point]) -> bool:
    (a, b), (c, d) = first, second
    if _is_on(a, c, d) or _is_on(b, c, d) or _is_on(c, a, b) or _is_on(d, a, b):
        return True
    return (_cross(a, b, c) > 0) != (_cross(a, b, d) > 0) and (_cross(c, d, a) > 0) != (
        _cross(c, d, b) > 0
    )


def _fold_back(first: tuple[Point, Point], second: tuple[Point, Point]) -> bool:
    """Whether two edges that share a corner overlap, which makes a spike without area."""
    (a, b), (c, d) = first, second
    if a == b or c == d:
        return True
    return (_is_on(d, a, b) or _is_on(a, c, d)) if b == c else (_is_on(c, a, b) or _is_on(b, c, d))
