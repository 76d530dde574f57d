"""Pins that record what they are told, for tests in this process."""

from __future__ import annotations

from edge.common.errors import UserError
from edge.config.output_settings import OutputSettings


class RecordedPin:
    """A pin that appends to `Board.log`, and fails while the board says so."""

    def __init__(self, board: Board, name: str) -> None:
        self._board = board
        self._name = name

    def switch(self, on: bool) -> None:
        self._board.fail_if_broken(self._name)
        self._board.log.append(f"{self._name} {'on' if on else 'off'}")

    def close(self) -> None:
        self._board.log.append(f"{self._name} closed")


class Board:
    """Opens pins; `broken` are the errors of pins that cannot be opened or switched now."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.broken: dict[str, UserError] = {}

    def __call__(self, settings: OutputSettings) -> RecordedPin:
        self.fail_if_broken(settings.pin_name)
        self.log.append(f"{settings.pin_name} opened")
        return RecordedPin(self, settings.pin_name)

    def fail_if_broken(self, name: str) -> None:
        if name in self.broken:
            raise self.broken[name]
