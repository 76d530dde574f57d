from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.classification.classifier import Scores
from edge.config.settings import EventSettings
from edge.events.alert_machine import AlertMachine, Event, as_fractions
from edge.tracking.track import Reading, Track

SIZE = (480, 640)
STEP_S = 0.1
BOX = (64.0, 48.0, 64.0, 48.0)


def new_machine(threshold: float = 0.8) -> AlertMachine:
    count = itertools.count(1)
    return AlertMachine(EventSettings(), threshold, lambda: f"episode-{next(count)}")


def track(
    at_s: float, score: float, number: int = 1, since_s: float = 0.0, readings: int = 10
) -> Track:
    reading = Reading(BOX, Scores({"mask": 1 - score, "no_mask": score}), at_s)
    return Track(number, BOX, since_s, at_s, (reading,) * readings, readings)


def play(scores: list[float | None]) -> list[Event]:
    """The events of one person with a smoothed score per step; None: the person is absent."""
    machine, events = new_machine(), []
    for step, score in enumerate(scores):
        at_s = step * STEP_S
        tracks = [] if score is None else [track(at_s, score)]
        events += machine.update(tracks, at_s, SIZE)
    return events + machine.shutdown(len(scores) * STEP_S)


def kinds(events: list[Event]) -> list[tuple[str, str | None]]:
    return [(event.event_type, event.ended_by) for event in events]


def test_visit_without_a_mask_starts_and_ends_an_alert() -> None:
    events = play([0.95] * 20 + [None] * 3)
    assert kinds(events) == [("no_mask_start", None), ("no_mask_end", "left")]
    start, end = events
    assert start.episode == end.episode == "episode-1"
    assert start.at_s == pytest.approx(0.3)
    assert end.at_s == pytest.approx(1.9)
    assert end.duration_s == pytest.approx(1.6)
    assert start.box == pytest.approx((0.1, 0.1, 0.1, 0.1))


def test_masked_face_raises_no_event() -> None:
    assert play([0.05] * 50) == []


def test_putting_a_mask_on_ends_the_alert() -> None:
    events = play([0.95] * 10 + [0.1] * 15)
    assert kinds(events) == [("no_mask_start", None), ("no_mask_end", "masked")]
    # The score falls at 1.0 s, and `masked_after_s` is 1 s.
    assert events[1].at_s == pytest.approx(2.0)


def test_hand_before_the_mouth_does_not_end_the_alert() -> None:
    assert kinds(play([0.95] * 10 + [0.1] * 8 + [0.95] * 10)) == [
        ("no_mask_start", None),
        ("no_mask_end", "shutdown"),
    ]


def test_mask_taken_off_again_starts_a_new_episode() -> None:
    events = play([0.95] * 10 + [0.1] * 15 + [0.95] * 10)
    assert [e.episode for e in events] == ["episode-1", "episode-1", "episode-2", "episode-2"]


def test_few_readings_or_a_short_visit_start_no_alert() -> None:
    machine = new_machine()
    assert machine.update([track(1.0, 0.95, readings=3)], 1.0, SIZE) == []
    assert machine.update([track(1.1, 0.95, since_s=1.0)], 1.1, SIZE) == []
    assert len(machine.update([track(1.4, 0.95, since_s=1.0)], 1.4, SIZE)) == 1


def test_track_without_a_new_reading_starts_no_alert() -> None:
    machine = new_machine()
    assert machine.update([track(1.0, 0.95)], 1.5, SIZE) == []


def test_two_people_have_their_own_episodes() -> None:
    machine = new_machine()
    both = [track(1.0, 0.95, 1), track(1.0, 0.9, 2)]
    assert [e.episode for e in machine.update(both, 1.0, SIZE)] == ["episode-1", "episode-2"]
    assert machine.alert_count == 2
    (end,) = machine.update([both[1]], 1.1, SIZE)
    assert (end.episode, end.ended_by) == ("episode-1", "left")
    assert machine.alert_count == 1


def test_alert_boxes_are_those_of_people_in_this_frame() -> None:
    machine = new_machine()
    bare, masked = track(1.0, 0.95, 1), track(1.0, 0.1, 2)
    machine.update([bare, masked], 1.0, SIZE)
    assert machine.alert_boxes(1.0) == (pytest.approx((0.1, 0.1, 0.1, 0.1)),)
    machine.update([bare], 1.1, SIZE)  # the detector misses the face
    assert machine.alert_boxes(1.1) == ()


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=120))
def test_starts_and_ends_always_pair(scores: list[float | None]) -> None:
    active = None
    seen = set()
    for event in play(scores):
        if event.event_type == "no_mask_start":
            assert active is None
            assert event.episode not in seen
            assert event.score >= 0.8
            active = event.episode
            seen.add(event.episode)
        else:
            assert event.episode == active
            assert event.duration_s is not None
            assert event.duration_s >= 0
            active = None
    assert active is None


@given(*[st.floats(-500, 1500)] * 2, *[st.floats(1, 900)] * 2)
def test_fractions_lie_in_the_frame(x: float, y: float, w: float, h: float) -> None:
    left, top, width, height = as_fractions((x, y, w, h), SIZE)
    assert 0 <= left <= left + width <= 1 + 1e-9
    assert 0 <= top <= top + height <= 1 + 1e-9


def three_class_track(
    at_s: float, mask: float, no_mask: float, incorrect: float, weight: float = 1.0
) -> Track:
    scores = Scores({"mask": mask, "no_mask": no_mask, "incorrect_mask": incorrect})
    return Track(1, BOX, 0.0, at_s, (Reading(BOX, scores, at_s, weight),) * 5, 5)


def machine_for(*labels: Literal["no_mask", "incorrect_mask"]) -> AlertMachine:
    return AlertMachine(EventSettings(alert_on=labels), 0.8, lambda: "episode-1")


def test_scores_of_alert_labels_are_added() -> None:
    undecided = three_class_track(1.0, 0.1, 0.4, 0.5)
    assert machine_for("no_mask").update([undecided], 1.0, SIZE) == []
    assert machine_for("incorrect_mask").update([undecided], 1.0, SIZE) == []
    (event,) = machine_for("no_mask", "incorrect_mask").update([undecided], 1.0, SIZE)
    assert (event.event_type, event.label) == ("no_mask_start", "incorrect_mask")
    assert event.score == pytest.approx(0.9)


def test_end_has_the_label_of_the_start() -> None:
    machine = machine_for("no_mask", "incorrect_mask")
    machine.update([three_class_track(1.0, 0.05, 0.05, 0.9)], 1.0, SIZE)
    machine.update([three_class_track(1.1, 0.05, 0.9, 0.05)], 1.1, SIZE)
    (end,) = machine.shutdown(1.2)
    assert end.label == "incorrect_mask"


def test_evidence_must_have_the_minimum_weight() -> None:
    light, heavy = (three_class_track(1.0, 0.0, 1.0, 0.0, weight) for weight in (0.7, 0.8))
    assert machine_for("no_mask").update([light], 1.0, SIZE) == []
    (event,) = machine_for("no_mask").update([heavy], 1.0, SIZE)
    assert event.readings == 5


def test_alert_does_not_end_without_new_evidence() -> None:
    """A person who is seen, but too poorly to be classified, counts neither as bare nor masked."""
    machine = new_machine()
    machine.update([track(1.0, 0.95)], 1.0, SIZE)
    low = track(1.1, 0.1)
    machine.update([low], 1.1, SIZE)
    for step in range(12, 40):
        assert machine.update([replace(low, last_seen_s=step / 10)], step / 10, SIZE) == []
    (end,) = machine.update([track(4.0, 0.1)], 4.0, SIZE)
    assert end.ended_by == "masked"


def test_change_of_settings_keeps_active_alerts() -> None:
    machine = new_machine()
    machine.update([track(1.0, 0.85)], 1.0, SIZE)
    machine.change(EventSettings(masked_after_s=0.0), 0.95)
    assert machine.alert_count == 1
    assert machine.update([track(1.1, 0.85)], 1.1, SIZE) == []
    (end,) = machine.update([track(1.2, 0.5)], 1.2, SIZE)
    assert (end.episode, end.ended_by) == ("episode-1", "masked")
    assert machine.update([track(1.3, 0.9)], 1.3, SIZE) == []
