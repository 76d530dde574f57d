from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.classification.classifier import Scores
from edge.common.arrays import Box
from edge.tracking.classification_schedule import AGAIN_S, needs_classification
from edge.tracking.track import Reading, Track

BOX: Box = (10.0, 10.0, 50.0, 50.0)
ALERT = ("no_mask",)
THRESHOLD, ENOUGH = 0.8, 4.0


def track(scores: list[float], newest_s: float = 10.0, weight: float = 1.0) -> Track:
    evidence = tuple(
        Reading(BOX, Scores({"mask": 1 - s, "no_mask": s}), newest_s - 0.1 * age, weight)
        for age, s in reversed(list(enumerate(reversed(scores))))
    )
    return Track(1, BOX, 0.0, newest_s, evidence, len(scores))


def wanted(person: Track | None, at_s: float = 10.1) -> bool:
    return needs_classification(person, at_s, ALERT, THRESHOLD, ENOUGH)


def test_somebody_new_is_always_looked_at() -> None:
    assert wanted(None)


@given(st.lists(st.floats(0, 1), max_size=3), st.floats(0.01, 1.0))
def test_until_there_is_evidence_enough_every_face_is(scores: list[float], weight: float) -> None:
    assert wanted(track(scores, weight=weight))


@pytest.mark.parametrize("score", [0.0, 0.3, 0.9, 1.0])
def test_who_is_settled_is_left_alone_for_a_while(score: float) -> None:
    settled = track([score] * 5)
    assert not wanted(settled)
    assert not wanted(settled, 10.0 + 0.9 * AGAIN_S)
    assert wanted(settled, 10.0 + AGAIN_S)


@given(
    settled=st.sampled_from([0.0, 0.2, 0.95, 1.0]),
    newest=st.floats(0, 1),
    others=st.integers(3, 20),
)
def test_a_reading_that_differs_brings_more(settled: float, newest: float, others: int) -> None:
    differs = (newest < THRESHOLD) if settled > 0.9 else (newest >= 0.6 * THRESHOLD)
    assert wanted(track([settled] * others + [newest])) is differs


def test_a_score_near_the_threshold_settles_nothing() -> None:
    assert wanted(track([0.6] * 10))
