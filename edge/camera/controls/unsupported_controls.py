"""The warning about controls that a camera does not support."""

from __future__ import annotations

import logging

from edge.camera.source_address import display_address
from edge.config.settings import CameraSettings

log = logging.getLogger(__name__)


class UnsupportedControls:
    """Logs one warning about the unsupported controls, and again only when they change.

    It lasts for one run, in which the source may be opened many times. Used by the one thread that
    reads the source.
    """

    def __init__(self) -> None:
        """Begin without a warning."""
        self._reported: tuple[str, tuple[str, ...]] | None = None

    def report(self, settings: CameraSettings, names: tuple[str, ...]) -> None:
        """Warn that the source of `settings` does not support the controls called `names`."""
        reported = (display_address(settings), names)
        if names and reported != self._reported:
            log.warning(
                "%s does not support these controls, which have no effect: %s",
                reported[0],
                ", ".join(names),
            )
        self._reported = reported
