"""Who has a place: those that came first, as long as they speak, and whoever speaks."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from edge.dashboard.base.device_slots import SILENT_AFTER_S, DeviceSlots

MOST, NEWCOMERS = 8, 3
KEPT = MOST - NEWCOMERS


def speaks(places: DeviceSlots, name: str, at_s: float) -> str:
    """Who loses their place to it."""
    return "" if places.touch(name, at_s) is not None else places.assign(name, at_s)[1]


@given(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["speak", "leave"])), max_size=120),
    st.integers(0, 2**32),
)
def test_those_that_came_first_stay_and_whoever_speaks_has_a_place(
    steps: list[tuple[int, str]], seed: int
) -> None:
    places = DeviceSlots(MOST, NEWCOMERS, random.Random(seed))
    order: list[str] = []  # as they came
    for at_s, (number, what) in enumerate(steps):
        name = str(number)
        if what == "leave":
            places.release(name)
            if name in order:
                order.remove(name)
            continue
        gone = speaks(places, name, float(at_s))
        if gone:
            assert len(order) == MOST
            assert order.index(gone) >= KEPT
            order.remove(gone)
        if name not in order:
            order.append(name)
        numbers = [places.touch(n, float(at_s)) for n in order]
        assert len(order) <= MOST
        assert len({n for n in numbers if n is not None and 0 <= n < MOST}) == len(order)
    assert all(places.touch(str(n), 999.0) is None for n in range(31) if str(n) not in order)


def test_who_was_silent_for_a_day_gives_way_first() -> None:
    places = DeviceSlots(MOST, NEWCOMERS)
    for number in range(MOST):
        places.assign(f"d{number}", 0.0)
    for number in (0, 1, 3, 4, 5, 6, 7):
        places.touch(f"d{number}", SILENT_AFTER_S)
    assert speaks(places, "new", SILENT_AFTER_S + 1.0) == "d2"
    assert speaks(places, "newer", SILENT_AFTER_S + 1.0) in {"d6", "d7", "new"}


def test_a_new_device_is_there_nearly_always_while_names_are_invented() -> None:
    places = DeviceSlots(2000, 200, random.Random(1))
    for number in range(2000):
        places.assign(f"invented{number}", 0.0)
    there = 0
    for second in range(2000):
        for number in range(1990, 2000):  # they go on and on, and so does the one that came last
            speaks(places, f"invented{number}", float(second))
        there += places.touch("door1", float(second)) is not None
        speaks(places, "door1", float(second))
    assert there > 1800


def test_those_of_before_come_first() -> None:
    places = DeviceSlots(MOST, NEWCOMERS)
    heard_s = {f"d{n}": 0.0 for n in range(MOST + 2)}
    assert places.restore(heard_s) == [f"d{n}" for n in range(MOST)]
    for number in range(50):
        speaks(places, f"new{number}", 1.0)
    assert all(places.touch(f"d{n}", 1.0) is not None for n in range(KEPT))
