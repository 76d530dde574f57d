"""What delivers the frames of one open camera, connection or file."""

from __future__ import annotations

from typing import Protocol

from edge.common.arrays import Pixels


class ChangedError(Exception):
    """The video goes on in another way, for example with another codec, and must be reopened.

    `at` is a byte of the file from which the rest can be played, None if it is unknown.
    """

    def __init__(self, reason: str, at: int | None = None) -> None:
        super().__init__(reason)
        self.at = at


class Capture(Protocol):
    """What delivers the frames of one open camera or connection."""

    def grab(self) -> bool:
        """Wait for the next frame; return False if there is none.

        Raises ChangedError if the further frames can be read only after reopening.
        """

    def retrieve(self) -> Pixels | None:
        """Return the grabbed frame as a picture, or None if it is no picture."""

    def release(self) -> None:
        """Close the camera or the connection; a second call does nothing."""
