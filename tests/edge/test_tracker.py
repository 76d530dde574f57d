from __future__ import annotations

import math
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.classifier import Scores
from edge.config import TrackerSettings
from edge.tracker import Reading, Track, Tracker

BARE = Scores({"mask": 0.1, "no_mask": 0.9})
MASKED = Scores({"mask": 0.9, "no_mask": 0.1})
PERIOD_S = 0.1


def reading(cx: float, cy: float, at_s: float, width: float = 60, scores: Scores = BARE) -> Reading:
    return Reading((cx - width / 2, cy - width / 2, width, width), scores, at_s)


def numbers(tracks: list[Track]) -> set[int]:
    return {track.number for track in tracks}


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    speed=st.floats(0, 90),
    direction=st.floats(0, 2 * math.pi),
    growth=st.floats(0, 0.3),
    drop=st.floats(0, 0.4),
)
def test_one_walker_is_one_person(
    seed: int, speed: float, direction: float, growth: float, drop: float
) -> None:
    """Up to 1.5 face widths a second, jitter of 8% of the width, 40% of detections missing."""
    chance = random.Random(seed)
    tracker = Tracker(TrackerSettings())
    seen: set[int] = set()
    for step in range(60):
        at_s = step * PERIOD_S
        width = 60 * (1 + growth * at_s)
        if step == 0 or chance.random() >= drop:
            found = [
                reading(
                    300 + speed * at_s * math.cos(direction) + chance.gauss(0, 0.08 * width),
                    200 + speed * at_s * math.sin(direction) + chance.gauss(0, 0.08 * width),
                    at_s,
                    width * chance.uniform(0.9, 1.1),
                )
            ]
        else:
            found = []
        seen |= numbers(tracker.update(found, at_s))
    assert len(seen) == 1


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), apart=st.floats(1.3, 3.0), drop=st.floats(0, 0.3))
def test_two_side_by_side_never_swap(seed: int, apart: float, drop: float) -> None:
    chance = random.Random(seed)
    tracker = Tracker(TrackerSettings())
    owner: dict[str, int] = {}
    for step in range(50):
        at_s = step * PERIOD_S
        found = [
            reading(200 + offset + chance.gauss(0, 3), 200 + chance.gauss(0, 3), at_s, 60, scores)
            for offset, scores in ((0, BARE), (60 * apart, MASKED))
            if step == 0 or chance.random() >= drop
        ]
        for track in tracker.update(found, at_s):
            owner.setdefault(
                "left" if track.box_px[0] < 170 + 30 * apart else "right", track.number
            )
            side = "left" if track.box_px[0] < 170 + 30 * apart else "right"
            assert owner[side] == track.number
    assert len(set(owner.values())) == 2


def test_who_leaves_is_forgotten_and_who_comes_then_is_new() -> None:
    tracker = Tracker(TrackerSettings(leave_after_s=2.0))
    first = tracker.update([reading(100, 100, 0.0)], 0.0)
    assert tracker.update([], 1.9) == first
    assert tracker.update([], 2.1) == []
    assert numbers(tracker.update([reading(100, 100, 2.2)], 2.2)) == {2}


def test_a_much_larger_box_is_somebody_else() -> None:
    tracker = Tracker(TrackerSettings())
    tracker.update([reading(100, 100, 0.0, 40)], 0.0)
    assert numbers(tracker.update([reading(100, 100, 0.1, 120)], 0.1)) == {1, 2}


def test_scores_are_medians_over_the_window() -> None:
    tracker = Tracker(TrackerSettings(window_s=0.35))
    for step, scores in enumerate([MASKED, BARE, BARE, MASKED, BARE]):
        tracks = tracker.update([reading(100, 100, step * 0.1, 60, scores)], step * 0.1)
    assert tracks[0].readings == 4  # the first is older than the window
    assert tracks[0].score(["no_mask"]) == 0.9


def test_times_of_a_track() -> None:
    tracker = Tracker(TrackerSettings())
    tracker.update([reading(100, 100, 5.0)], 5.0)
    tracker.update([reading(102, 100, 5.5)], 5.5)
    (track,) = tracker.update([], 5.9)
    assert (track.first_seen_s, track.last_seen_s) == (5.0, 5.5)


def test_a_slow_machine_comes_to_as_many_readings_too() -> None:
    tracker = Tracker(TrackerSettings(window_s=1.0), at_least=4)
    for step in range(6):
        tracks = tracker.update([reading(100, 100, float(step))], float(step))
    assert tracks[0].readings == 4
