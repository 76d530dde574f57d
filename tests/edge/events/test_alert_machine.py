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


def machine(threshold: float = 0.8) -> AlertMachine:
    count = itertools.count(1)
    return AlertMachine(EventSettings(), threshold, lambda: f"episode-{next(count)}")


def track(
    at_s: float, score: float, number: int = 1, since_s: float = 0.0, readings: int = 10
) -> Track:
    box = (64.0, 48.0, 64.0, 48.0)
    seen = Reading(box, Scores({"mask": 1 - score, "no_mask": score}), at_s)
    return Track(number, box, since_s, at_s, (seen,) * readings, readings)


def play(scores: list[float | None]) -> list[Event]:
    """One person's smoothed score per step; None: the person is not there."""
    player, events = machine(), []
    for step, score in enumerate(scores):
        at_s = step * STEP_S
        tracks = [] if score is None else [track(at_s, score)]
        events += player.update(tracks, at_s, SIZE)
    return events + player.shutdown(len(scores) * STEP_S)


def kinds(events: list[Event]) -> list[tuple[str, str | None]]:
    return [(event.event_type, event.ended_by) for event in events]


def test_bare_comes_and_leaves() -> None:
    events = play([0.95] * 20 + [None] * 3)
    assert kinds(events) == [("no_mask_start", None), ("no_mask_end", "left")]
    start, end = events
    assert start.episode == end.episode == "episode-1"
    assert start.at_s == pytest.approx(0.3)
    assert end.at_s == pytest.approx(1.9)
    assert end.duration_s == pytest.approx(1.6)
    assert start.box == pytest.approx((0.1, 0.1, 0.1, 0.1))


def test_masked_is_no_event() -> None:
    assert play([0.05] * 50) == []


def test_putting_a_mask_on_ends_it() -> None:
    events = play([0.95] * 10 + [0.1] * 15)
    assert kinds(events) == [("no_mask_start", None), ("no_mask_end", "masked")]
    assert events[1].at_s == pytest.approx(2.0)  # low since 1.0 s, for `masked_after_s`


def test_a_hand_before_the_mouth_ends_nothing() -> None:
    assert kinds(play([0.95] * 10 + [0.1] * 8 + [0.95] * 10)) == [
        ("no_mask_start", None),
        ("no_mask_end", "shutdown"),
    ]


def test_mask_off_again_is_a_new_episode() -> None:
    events = play([0.95] * 10 + [0.1] * 15 + [0.95] * 10)
    assert [e.episode for e in events] == ["episode-1", "episode-1", "episode-2", "episode-2"]


def test_few_readings_or_a_short_look_start_nothing() -> None:
    player = machine()
    assert player.update([track(1.0, 0.95, readings=3)], 1.0, SIZE) == []
    assert player.update([track(1.1, 0.95, since_s=1.0)], 1.1, SIZE) == []
    assert len(player.update([track(1.4, 0.95, since_s=1.0)], 1.4, SIZE)) == 1


def test_an_old_sighting_decides_nothing() -> None:
    player = machine()
    assert player.update([track(1.0, 0.95)], 1.5, SIZE) == []


def test_two_people_have_their_own_episodes() -> None:
    player = machine()
    both = [track(1.0, 0.95, 1), track(1.0, 0.9, 2)]
    assert [e.episode for e in player.update(both, 1.0, SIZE)] == ["episode-1", "episode-2"]
    assert player.alert_count == 2
    (end,) = player.update([both[1]], 1.1, SIZE)
    assert (end.episode, end.ended_by) == ("episode-1", "left")
    assert player.alert_count == 1


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=120))
def test_starts_and_ends_always_pair(scores: list[float | None]) -> None:
    open_episode = None
    seen = set()
    for event in play(scores):
        if event.event_type == "no_mask_start":
            assert open_episode is None
            assert event.episode not in seen
            assert event.score >= 0.8
            open_episode = event.episode
            seen.add(event.episode)
        else:
            assert event.episode == open_episode
            assert event.duration_s is not None
            assert event.duration_s >= 0
            open_episode = None
    assert open_episode is None


@given(*[st.floats(-500, 1500)] * 2, *[st.floats(1, 900)] * 2)
def test_fractions_lie_in_the_frame(x: float, y: float, w: float, h: float) -> None:
    left, top, width, height = as_fractions((x, y, w, h), SIZE)
    assert 0 <= left <= left + width <= 1 + 1e-9
    assert 0 <= top <= top + height <= 1 + 1e-9


def three(at_s: float, mask: float, no_mask: float, incorrect: float, weight: float = 1.0) -> Track:
    shares = {"mask": mask, "no_mask": no_mask, "incorrect_mask": incorrect}
    box = (64.0, 48.0, 64.0, 48.0)
    return Track(1, box, 0.0, at_s, (Reading(box, Scores(shares), at_s, weight),) * 5, 5)


def alerting_on(*labels: Literal["no_mask", "incorrect_mask"]) -> AlertMachine:
    return AlertMachine(EventSettings(alert_on=labels), 0.8, lambda: "episode-1")


def test_labels_that_alert_are_added_up() -> None:
    either = three(1.0, 0.1, 0.4, 0.5)
    assert alerting_on("no_mask").update([either], 1.0, SIZE) == []
    assert alerting_on("incorrect_mask").update([either], 1.0, SIZE) == []
    (event,) = alerting_on("no_mask", "incorrect_mask").update([either], 1.0, SIZE)
    assert (event.event_type, event.label) == ("no_mask_start", "incorrect_mask")
    assert event.score == pytest.approx(0.9)


def test_the_label_stays_that_of_the_start() -> None:
    player = alerting_on("no_mask", "incorrect_mask")
    player.update([three(1.0, 0.05, 0.05, 0.9)], 1.0, SIZE)
    player.update([three(1.1, 0.05, 0.9, 0.05)], 1.1, SIZE)
    (end,) = player.shutdown(1.2)
    assert end.label == "incorrect_mask"


def test_readings_must_weigh_enough_together() -> None:
    assert alerting_on("no_mask").update([three(1.0, 0.0, 1.0, 0.0, 0.7)], 1.0, SIZE) == []
    (event,) = alerting_on("no_mask").update([three(1.0, 0.0, 1.0, 0.0, 0.8)], 1.0, SIZE)
    assert event.readings == 5


def test_without_new_evidence_nothing_is_decided() -> None:
    """Somebody who is seen, but too badly to tell, is neither bare nor masked by that."""
    player = machine()
    player.update([track(1.0, 0.95)], 1.0, SIZE)
    low = track(1.1, 0.1)
    player.update([low], 1.1, SIZE)
    for step in range(12, 40):
        assert player.update([replace(low, last_seen_s=step / 10)], step / 10, SIZE) == []
    (end,) = player.update([track(4.0, 0.1)], 4.0, SIZE)
    assert end.ended_by == "masked"


def test_a_change_keeps_alerts_and_counts_from_then_on() -> None:
    player = machine()
    player.update([track(1.0, 0.85)], 1.0, SIZE)
    player.change(EventSettings(masked_after_s=0.0), 0.95)
    assert player.alert_count == 1
    assert player.update([track(1.1, 0.85)], 1.1, SIZE) == []
    (end,) = player.update([track(1.2, 0.5)], 1.2, SIZE)
    assert (end.episode, end.ended_by) == ("episode-1", "masked")
    assert player.update([track(1.3, 0.9)], 1.3, SIZE) == []
