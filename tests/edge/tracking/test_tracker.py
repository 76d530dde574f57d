from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.classification.classifier import Scores
from edge.config.settings import TrackerSettings
from edge.tracking.track import Reading, Track
from edge.tracking.tracker import Tracker
from tests.support.trajectories import Noise, Told, straight, track

BARE = Scores({"mask": 0.1, "no_mask": 0.9})
MASKED = Scores({"mask": 0.9, "no_mask": 0.1})
PERIOD_S = 0.1


def reading(cx: float, cy: float, at_s: float, width: float = 60, scores: Scores = BARE) -> Reading:
    return Reading((cx - width / 2, cy - width / 2, width, width), scores, at_s)


def numbers(tracks: list[Track]) -> set[int]:
    return {track.number for track in tracks}


#: Below this the tracker keeps everybody apart; how often it fails above is in its module.
QUIET = Noise(jitter=0.03, missed=0.1, gap_s=0.3)
#: People who do not meet are kept apart in this, too …
LOUD = Noise(jitter=0.06, missed=0.3, gap_s=1.0)
#: … and people who cross when nobody is missing for a whole second of it.
LOUD_WITHOUT_GAP = Noise(jitter=0.06, missed=0.3, gap_s=0.0)

# The same examples each time: these are claims about rates of failure well below one in
# the number of examples, not about every trajectory that there is.
steadily = settings(max_examples=60, deadline=None, derandomize=True)
SEEDS = st.integers(0, 10_000)
SPEEDS = st.floats(0.5, 1.5)
BRISK = st.floats(0.7, 1.5)


def told_apart(told: Told) -> bool:
    return (told.splits, told.swaps) == (0, 0)


@steadily
@given(SEEDS, st.floats(0, 1.5), st.floats(0, 2 * math.pi), st.floats(0, 0.2))
def test_one_walker_is_one_person(seed: int, speed: float, way: float, growth: float) -> None:
    across, down = speed * math.cos(way), speed * math.sin(way)

    def walker(at_s: float) -> tuple[float, float, float]:
        return 5 + across * at_s, 4 + down * at_s, 1 + growth * at_s

    assert told_apart(track([walker], 8.0, 10.0, LOUD, random.Random(seed)))


@steadily
@given(SEEDS, SPEEDS, st.floats(1, 3), st.floats(1, 3), st.sampled_from([-1, 0, 1]))
def test_who_stops_and_turns_is_one_person(
    seed: int, speed: float, stops_s: float, rests_s: float, then: int
) -> None:
    def walker(at_s: float) -> tuple[float, float, float]:
        again_s = max(0.0, at_s - stops_s - rests_s)
        return 8 + speed * (min(at_s, stops_s) + then * again_s), 4.0, 1.0

    noise = Noise(jitter=0.06, missed=0.3, gap_s=0.5)
    assert told_apart(track([walker], 8.0, 10.0, noise, random.Random(seed)))


@pytest.mark.parametrize(("fps", "noise"), [(10.0, LOUD), (3.0, QUIET)])
def test_who_stands_for_minutes_is_one_person(fps: float, noise: Noise) -> None:
    def sways(at_s: float) -> tuple[float, float, float]:
        return 5 + 0.3 * math.sin(at_s / 3), 4 + 0.1 * math.sin(at_s), 1.0

    for seed in range(3):
        assert told_apart(track([sways], 300.0, fps, noise, random.Random(seed)))


@steadily
@given(SEEDS, st.floats(1.3, 2.5), st.floats(0, 1.2))
def test_two_side_by_side_never_swap(seed: int, apart: float, speed: float) -> None:
    pair = [straight(5, 4, speed), straight(5 + apart, 4.1, speed, width=1.05)]
    assert told_apart(track(pair, 6.0, 10.0, LOUD, random.Random(seed)))


@pytest.mark.parametrize("noise", [QUIET, LOUD_WITHOUT_GAP])
@steadily
@given(SEEDS, BRISK, BRISK, st.floats(3, 5), st.floats(-0.3, 0.3), st.floats(0.8, 1.25))
def test_two_who_cross_keep_their_numbers(
    noise: Noise, seed: int, speed: float, other: float, meet_s: float, down: float, width: float
) -> None:
    pair = [
        straight(10 - speed * meet_s, 4, speed),
        straight(10 + other * meet_s, 4 + down, -other, width=width),
    ]
    assert told_apart(track(pair, 8.0, 10.0, noise, random.Random(seed)))


@steadily
@given(SEEDS, st.floats(1.0, 1.5), st.floats(3, 5), st.floats(-0.3, 0.3), st.floats(0.8, 1.25))
def test_who_walks_past_somebody_standing_keeps_the_number(
    seed: int, speed: float, meet_s: float, down: float, width: float
) -> None:
    pair = [straight(10 - speed * meet_s, 4, speed), straight(10, 4 + down, 0, width=width)]
    assert told_apart(track(pair, 8.0, 10.0, QUIET, random.Random(seed)))


@pytest.mark.parametrize("hidden_for", [5, 12])
def test_a_box_of_two_tells_nothing(hidden_for: int) -> None:
    """A masked person walks behind a bare one: the one box that is left is nobody's evidence."""
    tracker = Tracker(TrackerSettings())
    for step in range(20 + hidden_for):
        at_s = step * PERIOD_S
        found = [reading(300, 200, at_s)]
        if step < 20:
            found.append(reading(276 - 3 * (20 - step), 210, at_s, 50, MASKED))
        tracks = tracker.update(found, at_s)
    bare, masked = tracks
    assert (bare.number, bare.last_evidence_s) == (1, pytest.approx(1.9))
    assert (masked.number, masked.score(["no_mask"])) == (2, 0.1)
    assert bare.last_seen_s == pytest.approx(at_s)


def test_a_false_box_on_a_face_does_not_take_its_evidence_away() -> None:
    tracker = Tracker(TrackerSettings())
    tracker.update([reading(300, 200, 0.0), reading(330, 235, 0.0, 45)], 0.0)
    for step in range(1, 6):
        at_s = step * PERIOD_S
        tracks = tracker.update([reading(300, 200, at_s)], at_s)
    assert tracks[0].last_evidence_s == at_s


def test_a_run_keeps_its_number() -> None:
    """From standing to seven face widths a second within a fifth of one."""
    tracker = Tracker(TrackerSettings())
    xs = [300.0] * 10 + [295, 280, 255, 222, 172, 118, 62]
    for step, x in enumerate(xs):
        tracks = tracker.update([reading(x, 200, step / 15, 100)], step / 15)
    assert numbers(tracks) == {1}


def test_readings_without_weight_show_the_place_and_tell_nothing() -> None:
    tracker = Tracker(TrackerSettings())
    for step in range(5):
        at_s = step * PERIOD_S
        scores, weight = (BARE, 1.0) if step < 2 else (MASKED, 0.0)
        seen = replace(reading(100 + step, 100, at_s, 60, scores), weight=weight)
        (track_,) = tracker.update([seen], at_s)
    assert (track_.readings, track_.sightings, track_.last_seen_s) == (2, 5, at_s)
    assert (track_.last_evidence_s, track_.score(["no_mask"])) == (PERIOD_S, 0.9)
    assert track_.label() == "no_mask"


def test_a_track_without_evidence_has_no_label() -> None:
    (track_,) = Tracker(TrackerSettings()).update([replace(reading(9, 9, 0.0), weight=0.0)], 0.0)
    assert (track_.readings, track_.weight, track_.labels) == (0, 0, ())
    assert track_.last_evidence_s == -math.inf
    with pytest.raises(ValueError, match="no readings"):
        track_.score(["no_mask"])


def test_a_box_of_an_odd_size_tells_nothing() -> None:
    tracker = Tracker(TrackerSettings())
    for step in range(5):
        tracker.update([reading(100, 100, step * PERIOD_S, 60)], step * PERIOD_S)
    (odd,) = tracker.update([reading(100, 100, 0.5, 60 * 1.7, MASKED)], 0.5)
    assert (odd.number, odd.readings, odd.sightings) == (1, 5, 6)


def test_after_a_cut_everybody_is_somebody_new() -> None:
    tracker = Tracker(TrackerSettings())
    tracker.update([reading(100, 100, 0.0)], 0.0)
    tracker.reset()
    assert numbers(tracker.update([reading(100, 100, 0.1)], 0.1)) == {2}


def test_a_change_of_settings_keeps_everybody() -> None:
    tracker = Tracker(TrackerSettings())
    tracker.update([reading(100, 100, 0.0)], 0.0)
    tracker.change(TrackerSettings(leave_after_s=0.5, window_s=0.2), 1.0)
    (track_,) = tracker.update([reading(100, 100, 0.4)], 0.4)
    assert (track_.number, track_.readings) == (1, 1)
    assert tracker.update([], 1.0) == []


def test_labels_can_be_forgotten() -> None:
    tracker = Tracker(TrackerSettings())
    tracker.update([reading(100, 100, 0.0)], 0.0)
    tracker.drop_evidence()
    (track_,) = tracker.update([], 0.1)
    assert (track_.number, track_.readings, track_.sightings) == (1, 0, 1)


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
    tracker = Tracker(TrackerSettings(window_s=1.0), min_weight=4)
    for step in range(6):
        tracks = tracker.update([reading(100, 100, float(step))], float(step))
    assert tracks[0].readings == 4
