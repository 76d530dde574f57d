"""What the live page is told of."""

from __future__ import annotations

from edge.web.board import Board


def test_pages_are_told_who_is_listed_no_more() -> None:
    board = Board()
    for name in ("a", "b"):
        board.put_known(name, 1.0, 1.0)
    version, _ = board.since(-1)
    board.drop(["a", "nobody"])
    version, news = board.since(version)
    assert news == {"gone": ["a"]}
    assert [row["device"] for row in board.since(-1)[1]["devices"]] == ["b"]
    board.put_known("a", 2.0, 2.0)
    version, news = board.since(version)
    assert news.keys() == {"devices"}
    # Its losses are told of who is listed only.
    assert board.put_lost({"a": 1, "nobody": 3}, 3.0) == ["a"]
    assert [device.name for device in board.devices()] == ["a", "b"]


def test_who_sends_an_event_is_shown_at_once() -> None:
    board, told = Board(), []
    board.listen(lambda: told.append(1))
    board.put_seen("a", 1.0)
    assert [row["device"] for row in board.since(-1)[1]["devices"]] == ["a"]
    assert told == [1]
