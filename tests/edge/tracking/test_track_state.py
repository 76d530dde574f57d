from __future__ import annotations

import math
from dataclasses import replace

import pytest

from edge.classification.classifier import Scores
from edge.config.settings import TrackerSettings
from edge.tracking.alpha_beta_filter import AlphaBetaFilter, place_of
from edge.tracking.track import Reading
from edge.tracking.track_state import HIDDEN_FOR_S, MAX_REACH, REACH, TrackState

BARE = Scores({"mask": 0.1, "no_mask": 0.9})
MASKED = Scores({"mask": 0.9, "no_mask": 0.1})
PERIOD_S = 0.1
SETTINGS = TrackerSettings()
WIDTH_PX = 60.0


def reading(cx: float, at_s: float, width: float = WIDTH_PX, scores: Scores = BARE) -> Reading:
    return Reading((cx - width / 2, 100 - width / 2, width, width), scores, at_s)


def standing(frames: int = 5) -> TrackState:
    """A person who stands at x = 100 for `frames` frames."""
    first = reading(100, 0.0)
    state = TrackState(1, first.box_px, 0.0, 0.0, 0.0, AlphaBetaFilter(first.box_px, 0.0))
    for step in range(frames):
        state.update(reading(100, step * PERIOD_S), SETTINGS, 1.0)
    return state


def cost(state: TrackState, face: Reading) -> float:
    return state.match_costs([place_of(face.box_px)], face.at_s)[0]


def test_cost_grows_with_distance_and_size() -> None:
    state = standing()
    costs = [cost(state, reading(100 + shift, 0.5)) for shift in (0, 10, 30)]
    assert costs[0] < costs[1] < costs[2]
    assert cost(state, reading(100, 0.5, 1.3 * WIDTH_PX)) > costs[0]


def test_reach_grows_with_the_gap_up_to_a_limit() -> None:
    state = standing()
    near, far = (REACH + 0.3) * WIDTH_PX, (MAX_REACH + 0.1) * WIDTH_PX
    assert cost(state, reading(100 + near, 0.5)) == math.inf
    assert cost(state, reading(100 + near, 0.9)) < math.inf
    assert cost(state, reading(100 + far, 60.0)) == math.inf


def test_reach_is_larger_after_one_box_and_for_a_walker() -> None:
    """The person may walk, or may stop, since the last box."""
    beside = 1.5 * WIDTH_PX
    assert cost(standing(frames=1), reading(100 + beside, 0.1)) < math.inf
    assert cost(standing(frames=5), reading(100 + beside, 0.5)) == math.inf
    first = reading(0, 0.0)
    walker = TrackState(1, first.box_px, 0.0, 0.0, 0.0, AlphaBetaFilter(first.box_px, 0.0))
    for step in range(5):
        walker.update(reading(8 * WIDTH_PX * step * PERIOD_S, step * PERIOD_S), SETTINGS, 1.0)
    assert cost(walker, reading(8 * WIDTH_PX * 5 * PERIOD_S - beside, 0.5)) < math.inf


def test_box_of_twice_the_size_does_not_match() -> None:
    assert cost(standing(), reading(100, 0.5, 2 * WIDTH_PX)) == math.inf


def test_only_an_established_track_can_be_hidden() -> None:
    in_front = reading(110, 0.5)
    assert standing().can_hide_behind(in_front)
    assert not standing(frames=1).can_hide_behind(in_front)
    assert not standing().can_hide_behind(reading(200, 0.5))
    assert not standing().can_hide_behind(reading(110, 0.5 + HIDDEN_FOR_S))


def test_shared_box_updates_the_position_only() -> None:
    state = standing()
    state.share_box(reading(110, 0.5, scores=MASKED))
    track = state.to_track()
    assert (track.last_seen_s, track.sightings, track.readings) == (0.5, 6, 5)
    assert state.motion.predict(0.5)[0] == pytest.approx(100)


def test_hidden_person_keeps_the_last_box() -> None:
    state = standing()
    state.hide(0.5)
    assert state.hidden_s == 0.5
    assert state.to_track().last_seen_s == pytest.approx(0.4)


def test_readings_without_weight_update_the_position_only() -> None:
    state = standing(frames=2)
    for at_s in (0.2, 0.3, 0.4):
        state.update(replace(reading(103, at_s, scores=MASKED), weight=0.0), SETTINGS, 1.0)
    track = state.to_track()
    assert (track.readings, track.sightings, track.last_seen_s) == (2, 5, 0.4)
    assert (track.last_evidence_s, track.score(["no_mask"])) == (PERIOD_S, 0.9)


def test_box_of_an_odd_size_is_no_evidence() -> None:
    state = standing()
    state.update(reading(100, 0.5, 1.7 * WIDTH_PX, MASKED), SETTINGS, 1.0)
    track = state.to_track()
    assert (track.readings, track.sightings) == (5, 6)


def test_old_evidence_stays_until_the_rest_is_enough() -> None:
    state = standing(frames=1)
    settings = TrackerSettings(window_s=1.0)
    for at_s in (10.0, 20.0):
        state.update(reading(100, at_s), settings, 2.0)
    assert [each.at_s for each in state.window] == [10.0, 20.0]
