"""What the screen at a door shows, and when."""

from __future__ import annotations

import math
from typing import Any

import pytest

from edge.dashboard.base.messages import Health, Message, State
from edge.dashboard.live.device_state import DeviceState
from edge.dashboard.live.door_state import END_DELAY_S, DoorFacts, DoorState, door_facts

THANKS_S = 5.0


def alert(
    episode: str, ended_by: str | None = None, label: str = "no_mask", at_s: float = 100.0
) -> dict[str, Any]:
    ended_s = None if ended_by is None else at_s + 5.0
    return {
        "episode": episode, "label": label, "started_s": at_s, "ended_s": ended_s,
        "ended_by": ended_by, "ongoing": ended_by is None,
    }  # fmt: skip


def facts(no_mask: bool, *alerts: dict[str, Any]) -> DoorFacts:
    return DoorFacts("", no_mask, alerts)


def test_mask_that_was_put_on_is_thanked_for() -> None:
    door = DoorState(THANKS_S)
    assert door.update(facts(False), 0.0) == "calm"
    assert door.update(facts(True), 1.0) == "no_mask"  # before the event was stored
    assert door.update(facts(True, alert("a")), 1.1) == "no_mask"
    assert door.changes_in_s(1.1) == math.inf
    # The report that all is well overtakes the event that ends the alert.
    assert door.update(facts(False, alert("a")), 9.0) == "no_mask"
    assert door.changes_in_s(9.1) == pytest.approx(END_DELAY_S - 0.1)
    assert door.update(facts(False, alert("a", "masked")), 9.2) == "thanks"
    assert door.changes_in_s(10.2) == pytest.approx(THANKS_S - 1.0)
    assert door.update(facts(False, alert("a", "masked")), 14.1) == "thanks"
    assert door.update(facts(False, alert("a", "masked")), 14.3) == "calm"
    assert door.changes_in_s(14.3) == math.inf


def test_person_who_leaves_is_not_thanked() -> None:
    door = DoorState(THANKS_S)
    before = alert("before", "masked")
    door.update(facts(True, before, alert("a")), 1.0)
    assert door.update(facts(False, before, alert("a", "left")), 2.0) == "calm"
    # The end of the next alert does not arrive, nor does its start.
    door.update(facts(True, before), 3.0)
    assert door.update(facts(False, before), 4.0) == "no_mask"
    assert door.update(facts(False, before), 4.0 + END_DELAY_S) == "calm"


def test_last_person_decides_on_thanks() -> None:
    door = DoorState(THANKS_S)
    first, second = alert("a"), alert("b", at_s=101.0)
    door.update(facts(True, first, second), 1.0)
    left = alert("b", "left", at_s=101.0)
    assert door.update(facts(True, first, left), 2.0) == "no_mask"
    assert door.update(facts(False, first, left), 3.0) == "no_mask"
    masked = {**alert("a", "masked"), "ended_s": 120.0}
    assert door.update(facts(False, masked, left), 3.1) == "thanks"
    # The next person interrupts the thanks.
    assert door.update(facts(True, masked, left), 3.2) == "no_mask"


def test_mask_worn_incorrectly_has_its_own_text() -> None:
    door = DoorState(THANKS_S)
    low = alert("a", label="incorrect_mask")
    # An alert without an end from last week says nothing about the present one.
    stale = {**alert("old", at_s=1.0), "ongoing": False}
    assert door.update(facts(True, stale, low), 1.0) == "incorrect_mask"
    assert door.update(facts(True, stale, low, alert("b")), 2.0) == "no_mask"


def test_door_that_is_not_watched_shows_nothing_else() -> None:
    door = DoorState(THANKS_S)
    door.update(facts(True, alert("a")), 1.0)
    assert door.update(DoorFacts("the device is offline"), 2.0) == "off"
    assert door.update(facts(False, alert("a", "masked")), 3.0) == "calm"


def device(status: str | None = "online", **more: Any) -> DeviceState:
    return DeviceState("door1", 0.0, status=status, seen_ticks_s=0.0, **more)  # type: ignore[arg-type]


OK = State(no_mask=False, people=0)
LINK = {"connected": True}


@pytest.mark.parametrize(
    ("known", "link", "ticks_s", "why"),
    [
        (device(state=OK), {"connected": False}, 1.0, "the broker cannot be reached"),
        (None, LINK, 1.0, "no device of this name is known"),
        (device("offline", state=OK), LINK, 1.0, "the device is offline"),
        (device(), LINK, 1.0, "the device has not reported its state"),
        (device(None), LINK, 1.0, "the device has not reported its state"),
        (device(state=OK), LINK, 1e4, "is connected but sends no messages"),
        (device(state=OK, health=Health(camera="stalled")), LINK, 1.0, "camera: stalled"),
        (
            device(state=State(no_mask=True, people=1, paused=True)),
            LINK,
            1.0,
            "monitoring is paused",
        ),
        (device(state=OK), LINK, 1.0, ""),
    ],
)
def test_reason_for_not_watching(
    known: DeviceState | None, link: dict[str, Any], ticks_s: float, why: str
) -> None:
    found = door_facts(known, [], link, ticks_s)
    assert found.why == why
    assert not found.no_mask


def test_facts_are_those_of_the_device() -> None:
    known = device()
    known.apply(Message("door1", State(no_mask=True, people=2), 1000.0), 1.0)
    found = door_facts(known, [alert("a")], LINK, 1.0)
    assert (found.why, found.no_mask, len(found.alerts)) == ("", True, 1)
