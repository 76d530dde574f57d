from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from edge.classification.classifier import Scores
from edge.events.people_counter import MIN_SIGHTINGS, PeopleCounter
from edge.tracking.track import Reading, Track

BOX = (10.0, 10.0, 50.0, 50.0)
MIN_READINGS = 4
#: 08:30 on 1 March 2026, UTC.
HALF_PAST_S = 1_772_353_800.0
FULL_HOUR_S = HALF_PAST_S + 1800.0
ZEROS = {"mask": 0, "no_mask": 0, "incorrect_mask": 0, "unsure": 0}


def track(number: int, label: str = "mask", readings: int = 10, weight: float = 1.0) -> Track:
    scores = {"mask": 0.05, "no_mask": 0.05, "incorrect_mask": 0.05} | {label: 0.9}
    reading = Reading(BOX, Scores(scores), 0.0, weight)
    return Track(number, BOX, 0.0, 0.0, (reading,) * readings if weight else (), readings)


def counter(starts_s: float = HALF_PAST_S) -> PeopleCounter:
    return PeopleCounter(MIN_READINGS, lambda now_s: starts_s + now_s)


def counted(people: PeopleCounter) -> dict[str, Any]:
    return {k: v for k, v in people.body()["hour"].items() if k != "from" and v}


def test_body_is_empty_before_the_first_frame() -> None:
    assert counter().body() == {}


def test_person_is_counted_when_the_track_ends() -> None:
    people = counter()
    people.update([track(1), track(2, "no_mask")], 0.0)
    assert counted(people) == {}
    people.update([track(1)], 1.0)
    assert counted(people) == {"no_mask": 1}
    people.update([], 2.0)
    assert counted(people) == {"no_mask": 1, "mask": 1}


def test_first_label_counts() -> None:
    people = counter()
    for label in ("no_mask", "no_mask", "mask"):
        people.update([track(1, label)], 0.0)
    people.finish(1.0)
    assert counted(people) == {"no_mask": 1}


def test_person_is_unsure_until_classified() -> None:
    people = counter()
    people.update([track(1, weight=0.0), track(2, weight=0.2), track(3, weight=0.2)], 0.0)
    people.update([track(1, weight=0.0), track(2, weight=0.2), track(3, "incorrect_mask")], 1.0)
    people.finish(2.0)
    assert counted(people) == {"unsure": 2, "incorrect_mask": 1}


def test_short_track_is_not_counted() -> None:
    people = counter()
    people.update([track(1, readings=MIN_SIGHTINGS - 1), track(2, readings=3)], 0.0)
    people.finish(1.0)
    assert counted(people) == {"unsure": 1}


def test_hours_follow_the_clock() -> None:
    people = counter()
    people.update([track(1)], 0.0)
    assert people.body() == {
        "hour": {"from": "2026-03-01T08:30:00Z", **ZEROS},
        "last_hour": None,
    }
    people.update([], 1799.0)
    people.update([track(2)], 1800.0)
    assert people.body() == {
        "hour": {"from": "2026-03-01T09:00:00Z", **ZEROS},
        "last_hour": {"from": "2026-03-01T08:30:00Z", **ZEROS, "mask": 1},
    }
    people.update([], 1801.0)
    assert counted(people) == {"mask": 1}


def test_person_counts_in_the_hour_of_leaving() -> None:
    people = counter()
    people.update([track(1)], 1799.9)
    people.update([], 1800.0)
    assert counted(people) == {"mask": 1}


def test_hours_without_frames_are_skipped() -> None:
    people = counter()
    people.update([track(1)], 0.0)
    people.update([], 3 * 3600.0)
    body = people.body()
    assert (body["hour"]["from"], body["last_hour"]["from"]) == (
        "2026-03-01T11:00:00Z",
        "2026-03-01T08:30:00Z",
    )


def test_change_of_settings_keeps_the_people() -> None:
    people = counter()
    people.update([track(1, weight=0.2)], 0.0)
    people.change(2)
    people.update([track(1, weight=0.2)], 1.0)
    people.finish(2.0)
    assert counted(people) == {"mask": 1}


@given(st.lists(st.tuples(st.sets(st.integers(1, 6)), st.floats(0, 3000)), max_size=40))
def test_each_person_is_counted_exactly_once(frames: list[tuple[set[int], float]]) -> None:
    """As in the tracker, the number of an ended track is not used again."""
    people, total, now_s = counter(), 0, 0.0
    ended: set[int] = set()
    present: set[int] = set()
    seen: set[int] = set()
    for numbers, step_s in frames:
        ended |= present - numbers
        present = numbers - ended
        seen |= present
        now_s += step_s
        before = people.body().get("hour")
        people.update([track(number) for number in sorted(present)], now_s)
        if before is not None and people.body()["hour"]["from"] != before["from"]:
            total += before["mask"]
    people.finish(now_s)
    assert total + people.body()["hour"]["mask"] == len(seen)
