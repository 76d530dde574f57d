from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.classification.classifier import Scores
from edge.common.arrays import Box
from edge.tracking.classification_schedule import (
    MAX_RECLASSIFIED,
    RECLASSIFY_AFTER_S,
    DecisionRule,
    faces_to_classify,
)
from edge.tracking.track import Reading, Track

BOX: Box = (10.0, 10.0, 50.0, 50.0)
THRESHOLD = 0.8
RULE = DecisionRule(("no_mask",), THRESHOLD, min_weight=4.0)


def track(
    scores: list[float], newest_s: float = 10.0, weight: float = 1.0, number: int = 1
) -> Track:
    """A track with a reading for each of `scores`, a tenth of a second apart."""
    evidence = tuple(
        Reading(BOX, Scores({"mask": 1 - s, "no_mask": s}), newest_s - 0.1 * age, weight)
        for age, s in reversed(list(enumerate(reversed(scores))))
    )
    return Track(number, BOX, 0.0, newest_s, evidence, len(scores), newest_s)


def settled_of(people: Sequence[Track | None]) -> set[int]:
    return {person.number for person in people if person and RULE.is_settled(person)}


def is_needed(person: Track | None, at_s: float = 10.1) -> bool:
    return 0 in faces_to_classify([person], at_s, settled_of([person]))


def test_new_face_is_classified() -> None:
    assert is_needed(None)


@given(st.lists(st.floats(0, 1), max_size=3), st.floats(0.01, 1.0))
def test_track_with_little_evidence_is_classified(scores: list[float], weight: float) -> None:
    assert is_needed(track(scores, weight=weight))


@pytest.mark.parametrize("score", [0.0, 0.3, 0.9, 1.0])
def test_unanimous_track_is_classified_at_intervals(score: float) -> None:
    settled = track([score] * 5)
    assert not is_needed(settled)
    assert not is_needed(settled, 10.0 + 0.9 * RECLASSIFY_AFTER_S)
    assert is_needed(settled, 10.0 + RECLASSIFY_AFTER_S)


@given(
    settled=st.sampled_from([0.0, 0.2, 0.95, 1.0]),
    newest=st.floats(0, 1),
    others=st.integers(3, 20),
)
def test_contradicting_reading_triggers_classification(
    settled: float, newest: float, others: int
) -> None:
    differs = (newest < THRESHOLD) if settled > 0.9 else (newest >= 0.6 * THRESHOLD)
    assert is_needed(track([settled] * others + [newest])) is differs


def test_score_near_the_threshold_keeps_being_classified() -> None:
    assert is_needed(track([0.6] * 10))


def test_crowd_of_settled_people_is_classified_in_turn() -> None:
    """A person whose readings are no evidence, because the face is turned away, is not classified
    in every frame at the expense of the others."""
    evident, turned_away = 16, 4
    turn_s = 0.2 * (evident + turned_away) / MAX_RECLASSIFIED + RECLASSIFY_AFTER_S
    classified_s = [0.0] * (evident + turned_away)
    for frame in range(1, 101):
        at_s = 0.2 * frame
        people = [
            replace(
                track([1.0] * 5, newest_s if index < evident else 0.0, number=index),
                classified_s=newest_s,
            )
            for index, newest_s in enumerate(classified_s)
        ]
        chosen = faces_to_classify(people, at_s, settled_of(people))
        assert len(chosen) <= MAX_RECLASSIFIED
        for index in chosen:
            assert at_s - classified_s[index] <= turn_s
            classified_s[index] = at_s
    assert min(classified_s) >= at_s - turn_s


def test_doubtful_and_new_faces_are_classified_in_any_case() -> None:
    people = [track([1.0] * 5, 9.0, number=number) for number in range(10)]
    people[9] = track([1.0] * 4 + [0.0], 9.9, number=9)
    chosen = faces_to_classify([*people, None], 10.0, settled_of(people))
    assert {9, 10} <= chosen
    assert len(chosen) == MAX_RECLASSIFIED + 2


def test_track_is_settled_by_enough_unanimous_evidence() -> None:
    assert RULE.is_settled(track([1.0] * 4))
    assert not RULE.is_settled(track([1.0] * 3))
    assert not RULE.is_settled(track([1.0] * 4 + [0.0]))
