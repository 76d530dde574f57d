"""What the camera shows now, handed from the loop's thread to other threads."""

from __future__ import annotations

from dataclasses import dataclass

from edge.camera.source import Frame
from edge.events.snapshot import FractionBox


@dataclass(frozen=True)
class View:
    """The newest frame, and the boxes in it of people with a running alert, as fractions of it."""

    frame: Frame
    alerts: tuple[FractionBox, ...]


class CurrentView:
    """Holder of the newest view.

    The loop's thread replaces the view; any thread may read it. Views are immutable and a
    reference is replaced atomically, so that no lock is needed.
    """

    def __init__(self) -> None:
        """Hold no view."""
        self._view: View | None = None

    def get(self) -> View | None:
        """Return the newest view; None before the first frame, while paused, and while the
        newest frame is too old to count as current."""
        return self._view

    def show(self, view: View) -> None:
        """Replace the view."""
        self._view = view

    def clear(self) -> None:
        """Drop the view."""
        self._view = None
