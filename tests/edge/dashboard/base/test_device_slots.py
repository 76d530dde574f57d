"""Which devices keep a slot in the limited list: the oldest active devices, and each new device."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from edge.dashboard.base.device_slots import SILENT_AFTER_S, DeviceSlots

SLOTS, NEWCOMERS = 8, 3
SAFE = SLOTS - NEWCOMERS


def send(slots: DeviceSlots, name: str, at_s: float) -> str:
    """Process a message of the device `name`; return the device that loses its slot to it."""
    return "" if slots.touch(name, at_s) is not None else slots.assign(name, at_s)[1]


@given(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["send", "release"])), max_size=120),
    st.integers(0, 2**32),
)
def test_oldest_devices_keep_their_slots(steps: list[tuple[int, str]], seed: int) -> None:
    slots = DeviceSlots(SLOTS, NEWCOMERS, random.Random(seed))
    order: list[str] = []  # oldest first
    for at_s, (number, action) in enumerate(steps):
        name = str(number)
        if action == "release":
            slots.release(name)
            if name in order:
                order.remove(name)
            continue
        evicted = send(slots, name, float(at_s))
        if evicted:
            assert len(order) == SLOTS
            assert order.index(evicted) >= SAFE
            order.remove(evicted)
        if name not in order:
            order.append(name)
        numbers = [slots.touch(n, float(at_s)) for n in order]
        assert len(order) <= SLOTS
        assert len({n for n in numbers if n is not None and 0 <= n < SLOTS}) == len(order)
    assert all(slots.touch(str(n), 999.0) is None for n in range(31) if str(n) not in order)


def test_silent_device_is_evicted_first() -> None:
    slots = DeviceSlots(SLOTS, NEWCOMERS)
    for number in range(SLOTS):
        slots.assign(f"d{number}", 0.0)
    for number in (0, 1, 3, 4, 5, 6, 7):
        slots.touch(f"d{number}", SILENT_AFTER_S)
    assert send(slots, "new", SILENT_AFTER_S + 1.0) == "d2"
    assert send(slots, "newer", SILENT_AFTER_S + 1.0) in {"d6", "d7", "new"}


def test_new_device_rarely_loses_its_slot() -> None:
    slots = DeviceSlots(2000, 200, random.Random(1))
    for number in range(2000):
        slots.assign(f"invented{number}", 0.0)
    present = 0
    for second in range(2000):
        for number in range(1990, 2000):  # the newest of the invented devices
            send(slots, f"invented{number}", float(second))
        present += slots.touch("door1", float(second)) is not None
        send(slots, "door1", float(second))
    assert present > 1800


def test_restored_devices_are_the_oldest() -> None:
    slots = DeviceSlots(SLOTS, NEWCOMERS)
    heard_s = {f"d{n}": 0.0 for n in range(SLOTS + 2)}
    assert slots.restore(heard_s) == [f"d{n}" for n in range(SLOTS)]
    for number in range(50):
        send(slots, f"new{number}", 1.0)
    assert all(slots.touch(f"d{n}", 1.0) is not None for n in range(SAFE))
