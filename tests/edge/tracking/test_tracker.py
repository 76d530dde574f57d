from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.classification.classifier import Scores
from edge.config.settings import TrackerSettings
from edge.tracking.track import Reading, Track
from edge.tracking.tracker import Tracker
from tests.support.footage.trajectories import Noise, simulate, straight

BARE = Scores({"mask": 0.1, "no_mask": 0.9})
MASKED = Scores({"mask": 0.9, "no_mask": 0.1})
PERIOD_S = 0.1


def reading(cx: float, cy: float, at_s: float, width: float = 60, scores: Scores = BARE) -> Reading:
    return Reading((cx - width / 2, cy - width / 2, width, width), scores, at_s)


def numbers(tracks: list[Track]) -> set[int]:
    return {track.number for track in tracks}


#: Noise up to which people keep their numbers. The docstring of `edge.tracking.tracker` gives the
#: error rates at higher noise.
LOW_NOISE = Noise(jitter=0.03, missed=0.1, gap_s=0.3)
#: Noise at which people who do not meet keep their numbers.
HIGH_NOISE = Noise(jitter=0.06, missed=0.3, gap_s=1.0)
#: Noise at which people whose paths cross keep their numbers, because nobody is missed for a whole
#: second.
HIGH_NOISE_WITHOUT_GAP = Noise(jitter=0.06, missed=0.3, gap_s=0.0)
NO_GAP = Noise(jitter=0.03, missed=0.1, gap_s=0.0)

# The examples are the same in every run. The tests claim that errors are much rarer than one in the
# number of examples, not that they are impossible, so that random examples would fail occasionally.
same_examples = settings(max_examples=60, derandomize=True)
SEEDS = st.integers(0, 10_000)
SPEEDS = st.floats(0.5, 1.5)
BRISK_SPEEDS = st.floats(0.7, 1.5)
#: Of people who walk across the frame at 0.6 to 1.4 m/s, with boxes of about 0.16 m.
ACROSS_SPEEDS = st.floats(4.0, 9.0)


@same_examples
@given(SEEDS, st.floats(0, 1.5), st.floats(0, 2 * math.pi), st.floats(0, 0.2))
def test_one_walker_keeps_the_number(
    seed: int, speed: float, direction: float, growth: float
) -> None:
    across, down = speed * math.cos(direction), speed * math.sin(direction)

    def walker(at_s: float) -> tuple[float, float, float]:
        return 5 + across * at_s, 4 + down * at_s, 1 + growth * at_s

    assert simulate([walker], 8.0, 10.0, HIGH_NOISE, random.Random(seed)).are_consistent


@same_examples
@given(SEEDS, SPEEDS, st.floats(1, 3), st.floats(1, 3), st.sampled_from([-1, 0, 1]))
def test_walker_who_stops_and_turns_keeps_the_number(
    seed: int, speed: float, stops_s: float, rests_s: float, then: int
) -> None:
    def walker(at_s: float) -> tuple[float, float, float]:
        moving_again_s = max(0.0, at_s - stops_s - rests_s)
        return 8 + speed * (min(at_s, stops_s) + then * moving_again_s), 4.0, 1.0

    noise = Noise(jitter=0.06, missed=0.3, gap_s=0.5)
    assert simulate([walker], 8.0, 10.0, noise, random.Random(seed)).are_consistent


@same_examples
@given(SEEDS, ACROSS_SPEEDS, st.floats(0.5, 1.0))
def test_walker_across_the_frame_who_stops_keeps_the_number(
    seed: int, speed: float, stops_s: float
) -> None:
    def walker(at_s: float) -> tuple[float, float, float]:
        return speed * min(at_s, stops_s), 4.0, 1.0

    assert simulate([walker], 2.5, 10.0, NO_GAP, random.Random(seed)).splits == 0


@same_examples
@given(SEEDS, ACROSS_SPEEDS, ACROSS_SPEEDS)
def test_two_who_walk_across_in_opposite_directions_keep_their_numbers(
    seed: int, speed: float, other: float
) -> None:
    pair = [straight(0, 4, speed), straight(12, 4.2, -other, width=1.05)]
    assert simulate(pair, 2.0, 10.0, NO_GAP, random.Random(seed)).are_consistent


@same_examples
@given(SEEDS, ACROSS_SPEEDS, st.floats(1.3, 2.5))
def test_two_who_walk_across_one_behind_the_other_keep_their_numbers(
    seed: int, speed: float, apart: float
) -> None:
    pair = [straight(0, 4, speed), straight(apart, 4.3, speed)]
    assert simulate(pair, 2.0, 10.0, NO_GAP, random.Random(seed)).are_consistent


@pytest.mark.parametrize(("fps", "noise"), [(10.0, HIGH_NOISE), (3.0, LOW_NOISE)])
def test_person_who_stands_for_minutes_keeps_the_number(fps: float, noise: Noise) -> None:
    def sways(at_s: float) -> tuple[float, float, float]:
        return 5 + 0.3 * math.sin(at_s / 3), 4 + 0.1 * math.sin(at_s), 1.0

    for seed in range(3):
        assert simulate([sways], 300.0, fps, noise, random.Random(seed)).are_consistent


@same_examples
@given(SEEDS, st.floats(1.3, 2.5), st.floats(0, 1.2))
def test_two_side_by_side_never_swap(seed: int, apart: float, speed: float) -> None:
    pair = [straight(5, 4, speed), straight(5 + apart, 4.1, speed, width=1.05)]
    assert simulate(pair, 6.0, 10.0, HIGH_NOISE, random.Random(seed)).are_consistent


@pytest.mark.parametrize("noise", [LOW_NOISE, HIGH_NOISE_WITHOUT_GAP])
@same_examples
@given(
    SEEDS, BRISK_SPEEDS, BRISK_SPEEDS, st.floats(3, 5), st.floats(-0.3, 0.3), st.floats(0.8, 1.25)
)
def test_two_who_cross_keep_their_numbers(
    noise: Noise, seed: int, speed: float, other: float, meet_s: float, down: float, width: float
) -> None:
    pair = [
        straight(10 - speed * meet_s, 4, speed),
        straight(10 + other * meet_s, 4 + down, -other, width=width),
    ]
    assert simulate(pair, 8.0, 10.0, noise, random.Random(seed)).are_consistent


@same_examples
@given(SEEDS, st.floats(1.0, 1.5), st.floats(3, 5), st.floats(-0.3, 0.3), st.floats(0.8, 1.25))
def test_walker_passing_a_standing_person_keeps_the_number(
    seed: int, speed: float, meet_s: float, down: float, width: float
) -> None:
    pair = [straight(10 - speed * meet_s, 4, speed), straight(10, 4 + down, 0, width=width)]
    assert simulate(pair, 8.0, 10.0, LOW_NOISE, random.Random(seed)).are_consistent


@pytest.mark.parametrize("hidden_frames", [5, 12])
def test_shared_box_is_evidence_for_nobody(hidden_frames: int) -> None:
    """A masked person walks behind a person without a mask, and only one box is left."""
    tracker = Tracker(TrackerSettings())
    for step in range(20 + hidden_frames):
        at_s = step * PERIOD_S
        found = [reading(300, 200, at_s)]
        if step < 20:
            found.append(reading(276 - 3 * (20 - step), 210, at_s, 50, MASKED))
        tracks = tracker.update(found, at_s)
    bare, masked = tracks
    assert (bare.number, bare.last_evidence_s) == (1, pytest.approx(1.9))
    assert (masked.number, masked.score(["no_mask"])) == (2, 0.1)
    assert bare.last_seen_s == pytest.approx(at_s)


def test_false_box_on_a_face_hides_no_evidence() -> None:
    tracker = Tracker(TrackerSettings())
    tracker.update([reading(300, 200, 0.0), reading(330, 235, 0.0, 45)], 0.0)
    for step in range(1, 6):
        at_s = step * PERIOD_S
        tracks = tracker.update([reading(300, 200, at_s)], at_s)
    assert tracks[0].last_evidence_s == at_s


def test_runner_keeps_the_number() -> None:
    """The person starts to run and reaches seven face widths a second within 0.2 s."""
    tracker = Tracker(TrackerSettings())
    xs = [300.0] * 10 + [295, 280, 255, 222, 172, 118, 62]
    for step, x in enumerate(xs):
        tracks = tracker.update([reading(x, 200, step / 15, 100)], step / 15)
    assert numbers(tracks) == {1}


def test_match_predicts_the_numbers_of_the_next_update() -> None:
    tracker = Tracker(TrackerSettings())
    tracker.update([reading(100, 100, 0.0), reading(300, 100, 0.0)], 0.0)
    found = [reading(x, 100, 0.1) for x in (305, 500, 98)]
    assert tracker.match([each.box_px for each in found], 0.1) == [2, None, 1]
    tracks = tracker.update(found, 0.1)
    assert [track.box_px for track in tracks] == [found[i].box_px for i in (2, 0, 1)]


def test_predicted_boxes_follow_the_speed() -> None:
    tracker = Tracker(TrackerSettings())
    for step in range(10):
        tracker.update([reading(100 + 6 * step, 100, step * PERIOD_S)], step * PERIOD_S)
    ((x, y, w, h),) = tracker.predict_boxes(1.0)
    assert (x + w / 2, y + h / 2) == (pytest.approx(160, abs=1), pytest.approx(100))
    assert w == h == pytest.approx(60)


def test_reset_starts_new_tracks() -> None:
    tracker = Tracker(TrackerSettings())
    tracker.update([reading(100, 100, 0.0)], 0.0)
    tracker.reset()
    assert numbers(tracker.update([reading(100, 100, 0.1)], 0.1)) == {2}


def test_change_of_settings_keeps_all_tracks() -> None:
    tracker = Tracker(TrackerSettings())
    tracker.update([reading(100, 100, 0.0)], 0.0)
    tracker.change(TrackerSettings(leave_after_s=0.5, window_s=0.2), 1.0)
    (track,) = tracker.update([reading(100, 100, 0.4)], 0.4)
    assert (track.number, track.readings) == (1, 1)
    assert tracker.update([], 1.0) == []


def test_dropping_evidence_keeps_the_track() -> None:
    tracker = Tracker(TrackerSettings())
    tracker.update([reading(100, 100, 0.0)], 0.0)
    tracker.drop_evidence()
    (track,) = tracker.update([], 0.1)
    assert (track.number, track.readings, track.sightings) == (1, 0, 1)


def test_track_ends_after_leave_after_s() -> None:
    tracker = Tracker(TrackerSettings(leave_after_s=2.0))
    first = tracker.update([reading(100, 100, 0.0)], 0.0)
    assert tracker.update([], 1.9) == first
    assert tracker.update([], 2.1) == []
    assert numbers(tracker.update([reading(100, 100, 2.2)], 2.2)) == {2}


def test_much_larger_box_starts_a_new_track() -> None:
    tracker = Tracker(TrackerSettings())
    tracker.update([reading(100, 100, 0.0, 40)], 0.0)
    assert numbers(tracker.update([reading(100, 100, 0.1, 120)], 0.1)) == {1, 2}


def test_score_is_the_median_over_the_window() -> None:
    tracker = Tracker(TrackerSettings(window_s=0.35))
    for step, scores in enumerate([MASKED, BARE, BARE, MASKED, BARE]):
        tracks = tracker.update([reading(100, 100, step * 0.1, 60, scores)], step * 0.1)
    assert tracks[0].readings == 4  # the first reading is older than the window
    assert tracks[0].score(["no_mask"]) == 0.9


def test_track_has_the_times_of_its_readings() -> None:
    tracker = Tracker(TrackerSettings())
    tracker.update([reading(100, 100, 5.0)], 5.0)
    tracker.update([reading(102, 100, 5.5)], 5.5)
    (track,) = tracker.update([], 5.9)
    assert (track.first_seen_s, track.last_seen_s) == (5.0, 5.5)


def test_slow_machine_keeps_enough_readings() -> None:
    tracker = Tracker(TrackerSettings(window_s=1.0), min_weight=4)
    for step in range(6):
        tracks = tracker.update([reading(100, 100, float(step))], float(step))
    assert tracks[0].readings == 4


@pytest.mark.parametrize(("x_factor", "y_factor"), [(2.0, 2.0), (0.5, 0.5), (3.0, 1.5)])
def test_walker_keeps_the_number_in_frames_of_another_size(
    x_factor: float, y_factor: float
) -> None:
    tracker = Tracker(TrackerSettings())
    for step in range(10):
        tracker.update([reading(100 + 20 * step, 200, step * PERIOD_S)], step * PERIOD_S)
    (small,) = tracker.tracks()
    tracker.rescale(x_factor, y_factor)
    (large,) = tracker.tracks()
    factors = (x_factor, y_factor, x_factor, y_factor)
    for before, after in zip((small, *small.evidence), (large, *large.evidence), strict=True):
        expected = [value * by for value, by in zip(before.box_px, factors, strict=True)]
        assert after.box_px == pytest.approx(expected)
    ((x, y, w, h),) = tracker.predict_boxes(1.0)
    assert x + w / 2 == pytest.approx(300 * x_factor, rel=0.02)
    assert y + h / 2 == pytest.approx(200 * y_factor, rel=0.02)
    assert w == pytest.approx(60 * math.sqrt(x_factor * y_factor))
