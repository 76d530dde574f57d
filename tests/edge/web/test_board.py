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
