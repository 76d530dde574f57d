"""What the live page is told of."""

from __future__ import annotations

import pytest

from edge.dashboard.live.live_state import GONE_S, LiveState


def test_pages_are_told_who_is_listed_no_more() -> None:
    board = LiveState()
    for name in ("a", "b"):
        board.add_known_device(name, 1.0, 1.0)
    version, _ = board.changes_since(-1)
    board.remove_devices(["a", "nobody"])
    version, news = board.changes_since(version)
    assert news == {"gone": ["a"]}
    assert [row["device"] for row in board.changes_since(-1)[1]["devices"]] == ["b"]
    board.add_known_device("a", 2.0, 2.0)
    version, news = board.changes_since(version)
    assert news.keys() == {"devices"}
    # Its losses are told of who is listed only.
    assert board.update_lost({"a": 1, "nobody": 3}, 3.0) == ["a"]
    assert [device.name for device in board.devices()] == ["a", "b"]


def test_who_sends_an_event_is_shown_at_once() -> None:
    board, told = LiveState(), []
    board.add_listener(lambda: told.append(1))
    board.mark_seen("a", 1.0)
    assert [row["device"] for row in board.changes_since(-1)[1]["devices"]] == ["a"]
    assert told == [1]


def test_a_page_that_is_too_late_for_who_has_gone_is_sent_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge.dashboard.live.live_state.MAX_GONE", 3)
    now = [5.0]
    board = LiveState(lambda: now[0])
    names = [f"d{number}" for number in range(6)]
    for name in names:
        board.add_known_device(name, 1.0, 1.0)
    early, news = board.changes_since(-1)
    assert news["all"]
    board.remove_devices(["d0"])
    late, news = board.changes_since(early)
    assert news == {"gone": ["d0"]}
    board.remove_devices(["d1", "d2", "d3"])
    assert board.changes_since(late)[1] == {"gone": ["d1", "d2", "d3"]}
    last, news = board.changes_since(early)
    assert news["all"]
    assert [row["device"] for row in news["devices"]] == ["d4", "d5"]
    assert "gone" not in news
    # After a while they are not gone through any more; who has heard of them need not be told.
    now[0] += GONE_S + 1.0
    board.refresh_devices(9.0)
    assert board.changes_since(late)[1]["all"]
    assert board.changes_since(last)[1].keys() <= {"devices"}
