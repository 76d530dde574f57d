"""Which alerts without an end are ongoing."""

from __future__ import annotations

from typing import Any

import pytest

from edge.common.clock import iso_utc
from edge.dashboard.base.messages import Message, State
from edge.dashboard.live.live_alerts import ALERT_FIELDS
from edge.dashboard.live.live_state import LiveState

NOW_S = 1_790_000_000.0


def start(live: LiveState, episode: str, at_s: float, ended_s: float | None = None) -> None:
    row: dict[str, Any] = dict.fromkeys(ALERT_FIELDS)
    row |= {"episode": episode, "device": "door1", "started_s": at_s, "ended_s": ended_s}
    live.update_alerts([row])


def report(live: LiveState, body: Any, at_s: float = NOW_S) -> None:
    live.apply_message(Message("door1", body, at_s))


def state(no_mask: bool, since_s: float) -> State:
    return State(no_mask=no_mask, people=1, since=iso_utc(since_s))


def ongoing(live: LiveState) -> list[str]:
    """The ongoing alerts, which must be the same for the pages and for the websocket."""
    _, changes = live.changes_since(-1)
    sent = [row["episode"] for row in changes["alerts"] if row["ongoing"]]
    assert live.ongoing_alerts() == frozenset(sent)
    return sorted(sent)


@pytest.fixture
def live() -> LiveState:
    live = LiveState()
    report(live, "online")
    return live


def test_alert_is_ongoing_until_its_end(live: LiveState) -> None:
    start(live, "a", NOW_S)
    assert ongoing(live) == ["a"]
    start(live, "a", NOW_S, ended_s=NOW_S + 4.0)
    assert ongoing(live) == []


def test_silent_or_forgotten_device_has_no_ongoing_alert(live: LiveState) -> None:
    start(live, "a", NOW_S)
    report(live, "offline")
    assert ongoing(live) == []
    report(live, "online")
    assert ongoing(live) == ["a"]
    version, _ = live.changes_since(-1)
    live.remove_devices(["door1"])
    _, changes = live.changes_since(version)
    assert [(row["episode"], row["ongoing"]) for row in changes["alerts"]] == [("a", False)]
    assert ongoing(live) == []


def test_alert_before_an_all_clear_has_lost_its_end(live: LiveState) -> None:
    start(live, "a", NOW_S - 60.0)
    start(live, "b", NOW_S - 30.0)
    report(live, state(False, NOW_S))
    assert ongoing(live) == []
    start(live, "c", NOW_S + 1.0)
    assert ongoing(live) == ["c"]
    # The clock of the device is wrong: its newest alert alone is ongoing while somebody is there.
    report(live, state(True, NOW_S + 600.0), NOW_S + 600.0)
    assert ongoing(live) == ["c"]
    report(live, state(False, NOW_S + 610.0), NOW_S + 610.0)
    assert ongoing(live) == []


def test_dropped_alerts_are_not_ongoing(live: LiveState) -> None:
    for number in range(700):
        start(live, f"e{number:03}", NOW_S + number)
    assert len(ongoing(live)) <= 600
    assert ongoing(live)[-1] == "e699"
