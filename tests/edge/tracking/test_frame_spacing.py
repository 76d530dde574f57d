from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

import pytest

from edge.config.settings import EventSettings, TrackerSettings
from edge.tracking.frame_spacing import GROUPS, FrameSpacing

TRACKER = TrackerSettings(leave_after_s=2.0)
EVENTS = EventSettings(min_readings=4, confirm_s=0.5)


def changes(gaps_s: Iterable[float]) -> list[tuple[int, bool]]:
    """Return after which gaps the verdict changes, and to which: whether there is a warning."""
    spacing = FrameSpacing()
    return [
        (index, bool(spacing.warning))
        for index, at_s in enumerate(accumulate(gaps_s, initial=0.0))
        if spacing.update(at_s, TRACKER, EVENTS)
    ]


def test_slow_frames_are_reported_once() -> None:
    assert changes([2.5] * 20) == [(GROUPS, True)]


def test_frames_that_a_track_outlives_are_no_problem() -> None:
    assert changes([0.1, 1.9, 2.0, 2.0, 2.0, 2.0]) == []


@pytest.mark.parametrize("group", [[0.1, 0.1], [0.3, 0.3], [0.1, 0.1, 0.1], [0.05] * 9])
def test_groups_that_are_too_short_for_an_alert_are_reported(group: list[float]) -> None:
    assert changes([*group, 2.5] * 10) == [(GROUPS * (len(group) + 1), True)]


def test_message_says_how_the_frames_come() -> None:
    spacing = FrameSpacing()
    for at_s in accumulate([0.1, 3.0] * 5):
        spacing.update(at_s, TRACKER, EVENTS)
    assert "the camera pauses for 3.0 s after every 2 frames or fewer" in spacing.warning


@pytest.mark.parametrize("group", [[0.2, 0.2, 0.2], [0.06] * 10])
def test_groups_that_are_long_enough_are_no_problem(group: list[float]) -> None:
    assert changes([*group, 2.5] * 10) == []


def test_single_gaps_are_no_problem() -> None:
    assert changes([0.1, 30.0, 3.0, *[0.2] * 5] * 5) == []


def test_faster_frames_end_the_warning() -> None:
    assert changes([3.0] * 5 + [0.5] * 5 + [3.0] * 5) == [
        (GROUPS, True),
        (5 + EVENTS.min_readings - 1, False),
        (11 + GROUPS, True),
    ]


def test_jitter_does_not_repeat_the_warning() -> None:
    assert changes([2.5, 2.5, 2.5, 1.9, 2.5, 2.1, 1.8, 2.5] * 5) == [(GROUPS, True)]
