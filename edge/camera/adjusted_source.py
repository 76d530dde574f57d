"""A source whose pictures are turned, and whose controls are set, as the settings say."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import msgspec

from edge.camera.controls.unsupported_controls import UnsupportedControls
from edge.camera.orientation import Orientation
from edge.camera.source import Frame, Source, is_picture
from edge.common.clock import local_minute
from edge.config.settings import CameraSettings

log = logging.getLogger(__name__)


class AdjustedSource:
    """Applies `camera.rotate`, `mirror`, `controls` and `night` to a source.

    The source itself may turn its pictures, wholly or in part; only the rest is done here.
    """

    def __init__(
        self,
        source: Source,
        settings: CameraSettings,
        unsupported: UnsupportedControls,
        minute: Callable[[], int] = local_minute,
    ) -> None:
        """Take ownership of an open `source`, which is closed if it cannot be adjusted.

        `unsupported` is told which controls the source does not support. `minute` returns the
        minutes since midnight.
        """
        self.live = source.live
        #: The source itself.
        self.inner = source
        self._unsupported = unsupported
        self._minute = minute
        try:
            self.adjust(settings)
        except BaseException:
            source.close()
            raise

    def adjust(self, settings: CameraSettings) -> tuple[str, ...]:
        """Turn the pictures as `settings` say from the next one on, and set the controls.

        Returns the names of the controls that the source does not support.
        """
        self._settings = settings
        self._orientation = Orientation.of(settings)
        self._is_night = settings.night.includes(self._minute())
        if self._is_night:
            settings = msgspec.structs.replace(settings, controls=settings.controls_at_night)
        names = self.inner.adjust(settings)
        self._unsupported.report(settings, names)
        return names

    def read(self) -> Frame | None:
        """Return the next frame, turned; raises the errors of the source.

        First switches to the controls for the night or for the day, when their hours begin.
        """
        night = self._settings.night
        if night.start and night.includes(self._minute()) is not self._is_night:
            log.info(
                "the controls of the camera for the %s are set",
                "day" if self._is_night else "night",
            )
            self.adjust(self._settings)
        frame = self.inner.read()
        return None if frame is None else turned(frame, self._orientation)

    def close(self) -> None:
        """Close the source; a second call does nothing."""
        self.inner.close()


def turned(frame: Frame, orientation: Orientation) -> Frame:
    """Return `frame` with `orientation`, whatever was applied to it already."""
    if frame.orientation == orientation or not is_picture(frame.image_bgr):
        return frame
    rest = orientation.since(frame.orientation)
    return replace(
        frame,
        image_bgr=rest.apply(frame.image_bgr),
        luma=None if frame.luma is None else rest.apply(frame.luma),
        orientation=orientation,
    )
