"""What the live page is told of."""

from __future__ import annotations

from edge.web.board import MOST_DEVICES, Board


def test_devices_that_were_heard_longest_ago_make_room() -> None:
    board = Board()
    for number in range(MOST_DEVICES + 5):
        board.put_known(f"d{number}", float(number), float(number))
    board.sweep(9e9)
    assert len(board.devices()) == len(board.since(-1)[1]["devices"]) == MOST_DEVICES
    assert board.device("d4") is None
    assert board.device("d5") is not None


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
