from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.camera.feed_state import (
    Ended,
    Event,
    Failed,
    GarbageArrived,
    GaveUp,
    History,
    Lost,
    Opened,
    Opening,
    PictureArrived,
    Reading,
    RecordingEnded,
    RetryStarted,
    State,
    Suspended,
    TimerRestarted,
    Waiting,
    transition,
)
from edge.camera.frame_check import Verdict

NEW = History()
OPENED = History(opened=True)
LOST = History(opened=True, failed=True)
ERROR = ValueError("corrupt data")
GOOD = Verdict(dark=False, black=False, changed=True, frozen=False)
SAME = Verdict(dark=False, black=False, changed=False, frozen=False)
DARK = Verdict(dark=True, black=False, changed=False, frozen=False)
FROZEN = Verdict(dark=False, black=False, changed=False, frozen=True)

OPENING = Opening(10.0, NEW)
LIVE = Reading(True, 10.0, OPENED)
RECORDED = Reading(False, 10.0, OPENED)
WAITING = Waiting(3.0, LOST)
STATES = [OPENING, LIVE, RECORDED, WAITING, Ended(None), Ended(ERROR), Failed(ERROR)]
EVENTS: list[Event] = [
    TimerRestarted(20.0),
    Opened(20.0, live=True),
    Opened(20.0, live=False),
    GarbageArrived(),
    PictureArrived(20.0),
    PictureArrived(20.0, GOOD),
    PictureArrived(20.0, SAME),
    PictureArrived(20.0, DARK),
    PictureArrived(20.0, FROZEN),
    RecordingEnded(None),
    RecordingEnded(ERROR),
    Lost("stalled"),
    Lost("frozen"),
    Lost("black"),
    Suspended(),
    RetryStarted(20.0),
    GaveUp(ERROR),
]


@pytest.mark.parametrize(
    ("state", "event", "following"),
    [
        (OPENING, TimerRestarted(20.0), Opening(20.0, NEW)),
        (OPENING, Opened(20.0, live=True), Reading(True, 20.0, OPENED)),
        (OPENING, Opened(20.0, live=False), Reading(False, 20.0, OPENED)),
        (OPENING, Lost("stalled"), Waiting(0.0, History(failed=True))),
        (OPENING, Suspended(), Waiting(0.0, NEW)),
        (OPENING, GaveUp(ERROR), Failed(ERROR)),
        (LIVE, TimerRestarted(20.0), Reading(True, 20.0, OPENED)),
        (LIVE, GarbageArrived(), Reading(True, 10.0, OPENED, garbage=True)),
        (LIVE, PictureArrived(20.0, GOOD), Reading(True, 20.0, OPENED, good_since_s=20.0)),
        (LIVE, Lost("stalled"), Waiting(0.0, LOST)),
        (LIVE, Lost("frozen"), Waiting(0.0, replace(LOST, frozen=True))),
        (LIVE, Lost("black"), Waiting(0.0, replace(LOST, black_openings=1))),
        (LIVE, Suspended(), Waiting(0.0, OPENED)),
        (LIVE, GaveUp(ERROR), Failed(ERROR)),
        (RECORDED, PictureArrived(20.0), Reading(False, 20.0, OPENED)),
        (RECORDED, RecordingEnded(None), Ended(None)),
        (RECORDED, RecordingEnded(ERROR), Ended(ERROR)),
        (WAITING, RetryStarted(20.0), Opening(20.0, LOST)),
        (WAITING, Lost("stalled"), WAITING),
        (WAITING, Suspended(), WAITING),
        (WAITING, GaveUp(ERROR), Failed(ERROR)),
    ],
)
def test_event_leads_to_the_next_state(state: State, event: Event, following: State) -> None:
    assert transition(state, event) == following


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (OPENING, GarbageArrived()),
        (OPENING, PictureArrived(20.0, GOOD)),
        (OPENING, RetryStarted(20.0)),
        (LIVE, Opened(20.0, live=True)),
        (LIVE, RecordingEnded(None)),
        (LIVE, RetryStarted(20.0)),
        (RECORDED, Lost("stalled")),
        (RECORDED, Suspended()),
        (RECORDED, GaveUp(ERROR)),
        (WAITING, TimerRestarted(20.0)),
        (WAITING, Opened(20.0, live=True)),
        (WAITING, PictureArrived(20.0, GOOD)),
        (WAITING, RecordingEnded(None)),
    ],
)
def test_meaningless_event_changes_nothing(state: State, event: Event) -> None:
    assert transition(state, event) is state


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", [Ended(None), Ended(ERROR), Failed(ERROR)])
def test_nothing_leads_out_of_a_final_state(state: State, event: Event) -> None:
    assert transition(state, event) is state


def after(state: State, *events: Event) -> State:
    for event in events:
        state = transition(state, event)
    return state


def test_lived_time_is_that_between_good_pictures() -> None:
    state = after(LIVE, PictureArrived(12.0, GOOD), PictureArrived(17.0, SAME), GarbageArrived())
    assert state == Reading(True, 17.0, OPENED, good_since_s=12.0, garbage=True)
    assert after(state, Lost("stalled")) == Waiting(5.0, LOST)


def test_picture_ends_garbage() -> None:
    assert after(LIVE, GarbageArrived(), PictureArrived(11.0, GOOD)) == Reading(
        True, 11.0, OPENED, good_since_s=11.0
    )


def test_frozen_source_needs_a_change_to_be_good() -> None:
    reopened = after(LIVE, Lost("frozen"), RetryStarted(20.0), Opened(21.0, live=True))
    assert reopened.history.frozen
    same = after(reopened, PictureArrived(22.0, SAME))
    assert same == replace(reopened, active_s=22.0)
    moving = after(same, PictureArrived(23.0, GOOD))
    assert moving == Reading(True, 23.0, LOST, good_since_s=23.0)


def test_frozen_source_that_turns_dark_is_no_longer_frozen() -> None:
    reopened = after(LIVE, Lost("frozen"), RetryStarted(20.0), Opened(21.0, live=True))
    assert not after(reopened, PictureArrived(22.0, DARK)).history.frozen


def test_source_stays_frozen_across_failed_attempts() -> None:
    state = after(LIVE, Lost("frozen"), RetryStarted(20.0), Lost("stalled"), RetryStarted(30.0))
    assert state.history.frozen


def test_black_openings_are_counted_until_light_returns() -> None:
    state: State = LIVE
    for count in range(1, 4):
        state = after(state, PictureArrived(20.0, DARK), Lost("black"))
        assert state.history.black_openings == count
        state = after(state, RetryStarted(30.0), Opened(31.0, live=True))
    assert after(state, PictureArrived(32.0, GOOD)).history.black_openings == 0


@given(st.lists(st.sampled_from(EVENTS), max_size=40))
def test_history_never_forgets_an_opening_or_a_loss(events: list[Event]) -> None:
    state: State = Opening(0.0)
    for event in events:
        following = transition(state, event)
        if not isinstance(following, Ended | Failed):
            assert following.history.opened >= state.history.opened
            assert following.history.failed >= state.history.failed
        state = following


@given(st.sampled_from(STATES), st.sampled_from(EVENTS))
def test_only_live_sources_wait_or_fail(state: State, event: Event) -> None:
    following = transition(state, event)
    if isinstance(following, Waiting | Failed):
        assert state.live
    if isinstance(following, Ended):
        assert not state.live
