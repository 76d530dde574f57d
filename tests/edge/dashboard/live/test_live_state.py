"""Which changes a page receives."""

from __future__ import annotations

from typing import Any

import pytest

from edge.dashboard.base.messages import Health, Message, State
from edge.dashboard.live.device_state import STALLED_AFTER_S
from edge.dashboard.live.live_alerts import ALERT_FIELDS, MAX_ALERTS
from edge.dashboard.live.live_state import REMOVED_S, LiveState
from tests.support.clock import Clock


def alert(number: int, ended_s: float | None = None) -> dict[str, Any]:
    """A row of the table `alerts`; the alert began at `number` seconds."""
    row: dict[str, Any] = dict.fromkeys(ALERT_FIELDS)
    return {**row, "episode": f"e{number}", "started_s": float(number), "ended_s": ended_s}


def names(changes: dict[str, Any]) -> list[str]:
    return [row["device"] for row in changes["devices"]]


def test_new_page_receives_everything() -> None:
    live = LiveState()
    live.update_alerts([alert(1)])
    live.add_known_device("a", 1.0, 0.0)
    live.set_refused({"json": 2})
    _, changes = live.changes_since(-1)
    assert changes["all"]
    assert [row["episode"] for row in changes["alerts"]] == ["e1"]
    assert names(changes) == ["a"]
    assert changes["refused"] == {"json": 2}
    assert changes["link"] == {"connected": False, "why": "", "disk": "", "crowd": ""}


def test_page_receives_only_changes() -> None:
    live = LiveState()
    live.update_alerts([alert(1), alert(2)])
    version, _ = live.changes_since(-1)
    assert live.changes_since(version) == (version, {})
    live.update_alerts([alert(1), alert(2, ended_s=5.0)])
    version, changes = live.changes_since(version)
    assert changes.keys() == {"alerts"}
    assert [row["episode"] for row in changes["alerts"]] == ["e2"]


def test_link_fields_are_updated_separately() -> None:
    live = LiveState()
    live.set_connection(True, "")
    live.set_storage_error("the disk is full")
    live.set_device_limit_warning("too many")
    version, changes = live.changes_since(-1)
    assert changes["link"] == {
        "connected": True, "why": "", "disk": "the disk is full", "crowd": "too many",
    }  # fmt: skip
    live.set_storage_error("the disk is full")
    live.set_refused({})
    assert live.changes_since(version)[1] == {}


def test_removed_devices_are_reported() -> None:
    live = LiveState()
    for name in ("a", "b"):
        live.add_known_device(name, 1.0, 0.0)
    version, _ = live.changes_since(-1)
    live.remove_devices(["a", "nobody"])
    version, changes = live.changes_since(version)
    assert changes == {"gone": ["a"]}
    assert names(live.changes_since(-1)[1]) == ["b"]
    live.add_known_device("a", 2.0, 0.0)
    version, changes = live.changes_since(version)
    assert changes.keys() == {"devices"}


def test_losses_of_listed_devices_are_shown() -> None:
    live = LiveState()
    live.add_known_device("a", 1.0, 0.0)
    assert live.update_lost({"a": 1, "nobody": 3}) == ["a"]
    assert live.update_lost({"a": 1}) == []
    assert [(device.name, device.lost) for device in live.devices()] == [("a", 1)]


def test_event_lists_its_device() -> None:
    live, notified = LiveState(), []
    live.add_listener(lambda: notified.append(1))
    live.mark_seen("a", 1.0)
    assert names(live.changes_since(-1)[1]) == ["a"]
    assert notified == [1]


def test_removed_listener_is_not_called() -> None:
    live, notified = LiveState(), []
    remove = live.add_listener(lambda: notified.append(1))
    live.set_connection(True, "")
    remove()
    remove()
    live.set_connection(False, "lost")
    assert notified == [1]


def test_message_returns_new_problems() -> None:
    live = LiveState()
    report = Message("a", Health(warnings=("hot",)), 1.0)
    assert live.apply_message(report) == ["hot"]
    assert live.apply_message(report) == []
    known = live.device("a")
    assert known is not None
    assert known.health == Health(warnings=("hot",))
    assert live.device("b") is None


def test_newly_stalled_devices_are_returned_once() -> None:
    clock = Clock()
    live = LiveState(clock)
    live.apply_message(Message("a", State(no_mask=False, people=0), 1.0))
    clock.advance(1.0)
    assert live.refresh_devices() == []
    clock.advance(STALLED_AFTER_S)
    ((name, reason),) = live.refresh_devices()
    assert (name, bool(reason)) == ("a", True)
    assert live.refresh_devices() == []


def test_newest_and_open_alerts_are_kept() -> None:
    live = LiveState()
    live.update_alerts([alert(1), *(alert(n, ended_s=n + 1.0) for n in range(2, 800))])
    kept = {row["episode"] for row in live.changes_since(-1)[1]["alerts"]}
    assert kept == {"e1", *(f"e{n}" for n in range(800 - MAX_ALERTS, 800))}


def test_outdated_page_receives_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.dashboard.live.live_state.MAX_REMOVED", 3)
    clock = Clock()
    live = LiveState(clock)
    for number in range(6):
        live.add_known_device(f"d{number}", 1.0, 0.0)
    early, changes = live.changes_since(-1)
    assert changes["all"]
    live.remove_devices(["d0"])
    late, changes = live.changes_since(early)
    assert changes == {"gone": ["d0"]}
    live.remove_devices(["d1", "d2", "d3"])
    assert live.changes_since(late)[1] == {"gone": ["d1", "d2", "d3"]}
    latest, changes = live.changes_since(early)
    assert changes["all"]
    assert names(changes) == ["d4", "d5"]
    assert "gone" not in changes
    # The state forgets a removed device after REMOVED_S. A page that already received the removal
    # is not affected.
    clock.advance(REMOVED_S + 1.0)
    live.refresh_devices()
    assert live.changes_since(late)[1]["all"]
    assert live.changes_since(latest)[1].keys() <= {"devices"}
