from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edge.common.errors import UsageError
from edge.tracking.zone import Point, Zone

SHARE = st.floats(0, 1)
DOOR = ((0.2, 0.0), (0.8, 0.0), (0.8, 1.0), (0.2, 1.0))
#: A zone in the shape of an L: only the lower right quarter of the frame is outside of it.
L_SHAPE = ((0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.5, 0.5), (0.5, 1.0), (0.0, 1.0))


def star(around: list[tuple[float, float]]) -> list[Point]:
    """A polygon around the centre of the frame; `around` has (shift in steps, radius) per corner.

    It never crosses itself, because the corners keep their order around the centre and no step
    reaches half a turn.
    """
    step = 2 * math.pi / len(around)
    angles = [(index + shift) * step for index, (shift, _) in enumerate(around)]
    return [
        (0.5 + radius * math.cos(angle), 0.5 + radius * math.sin(angle))
        for angle, (_, radius) in zip(angles, around, strict=True)
    ]


@given(SHARE, SHARE)
def test_zone_without_corners_is_the_whole_frame(x: float, y: float) -> None:
    assert Zone(()).contains((x, y))


@given(SHARE, SHARE)
def test_rectangle_contains_its_inside(x: float, y: float) -> None:
    assume(min(abs(x - 0.2), abs(x - 0.8)) > 1e-6)
    assert Zone(DOOR).contains((x, y)) == (0.2 < x < 0.8)


@given(SHARE, SHARE)
def test_concave_part_is_outside(x: float, y: float) -> None:
    assume(min(abs(x - 0.5), abs(y - 0.5)) > 1e-6)
    assert Zone(L_SHAPE).contains((x, y)) == (not (x > 0.5 and y > 0.5))


@pytest.mark.parametrize("corners", [DOOR, L_SHAPE])
def test_edges_and_corners_are_inside(corners: tuple[Point, ...]) -> None:
    zone = Zone(corners)
    for (ax, ay), (bx, by) in zip(corners, (*corners[1:], corners[0]), strict=True):
        for t in (0.0, 0.1, 0.5, 0.9):
            assert zone.contains((ax + t * (bx - ax), ay + t * (by - ay)))


@given(
    st.lists(st.tuples(st.floats(-0.2, 0.2), st.floats(0.05, 0.5)), min_size=3, max_size=9),
    SHARE,
    SHARE,
    st.integers(0, 8),
)
def test_first_corner_and_direction_do_not_matter(
    around: list[tuple[float, float]], x: float, y: float, rotation: int
) -> None:
    corners = star(around)
    rotation %= len(corners)
    rotated = corners[rotation:] + corners[:rotation]
    orders = (corners, rotated, corners[::-1], rotated[::-1])
    inside = {Zone(order).contains((x, y)) for order in orders}
    assert len(inside) == 1
    assert Zone(corners).contains((0.5, 0.5))


@pytest.mark.parametrize(
    ("corners", "message"),
    [
        ([(0.1, 0.1)], "at least 3 corners, but has 1"),
        ([(0.1, 0.1), (0.9, 0.9)], "at least 3 corners, but has 2"),
        ([(0.1, 0.1), (0.9, 0.9), (0.5, 0.5)], "crosses or touches itself"),
        ([(0.1, 0.1), (0.5, 0.5), (0.9, 0.9)], "crosses or touches itself"),
        ([(0.1, 0.1), (0.1, 0.1), (0.9, 0.9)], "crosses or touches itself"),
        ([(0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)], "between corners 1 and 3"),
        ([(0.0, 0.0), (1.0, 0.0), (0.5, 0.0), (0.5, 1.0)], "crosses or touches itself"),
        ([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.0), (0.0, 1.0)], "crosses or touches"),
    ],
)
def test_invalid_polygon_is_refused(corners: list[Point], message: str) -> None:
    with pytest.raises(UsageError, match=r"`camera\.zone`.*" + message) as raised:
        Zone(corners)
    assert "\n" not in str(raised.value)


def test_face_is_inside_if_its_centre_is() -> None:
    zone = Zone(DOOR)
    size_px = (100, 200)  # the zone spans x from 40 to 160 px
    assert zone.contains_face((30, 40, 20, 20), size_px)  # its centre is on the edge
    assert not zone.contains_face((29, 40, 20, 20), size_px)
    assert zone.contains_face((145, 90, 20, 20), size_px)


def test_excluded_rectangle_is_outside() -> None:
    zone = Zone(DOOR, ((0.4, 0.4, 0.2, 0.1),))
    assert zone.contains((0.3, 0.45))
    assert not zone.contains((0.5, 0.45))
    assert not zone.contains((0.4, 0.5))  # a corner of the rectangle
    assert not zone.contains((0.1, 0.1))  # outside of the polygon
    assert not Zone((), ((0.0, 0.0, 0.5, 0.5),)).contains_face((10, 10, 20, 20), (100, 100))
    assert Zone((), ((0.0, 0.0, 0.5, 0.5),)).contains_face((60, 10, 20, 20), (100, 100))


@pytest.mark.parametrize(
    "rectangle",
    [(0.1, 0.1, 0.0, 0.2), (0.1, 0.1, 0.2, 0.0), (0.4, 0.2, 0.7, 0.1), (0.1, 0.5, 0.2, 0.6)],
)
def test_excluded_rectangle_must_be_inside(rectangle: tuple[float, float, float, float]) -> None:
    with pytest.raises(UsageError, match=r"`camera.excluded`: .* is not a rectangle inside"):
        Zone((), (rectangle,))


def test_rounded_rectangle_may_reach_the_edge() -> None:
    Zone((), ((0.851, 0.0, 0.15, 1.0),))
