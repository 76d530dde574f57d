"""Which settings a source is opened with, and which can change while it is open."""

from __future__ import annotations

from edge.camera.source_address import picamera2_number
from edge.config.settings import CameraSettings

#: The settings with which every source is opened.
OPEN_SETTINGS: tuple[str, ...] = ("source", "ca_file", "width_px", "height_px", "fps", "timeout_s")
#: Settings that most sources apply while they are open.
ADJUSTABLE_SETTINGS = ("rotate", "mirror", "controls", "night")
#: Those of them with which the sensor of a camera module is started.
SENSOR_SETTINGS: tuple[str, ...] = ("rotate", "mirror")


def must_reopen(settings: CameraSettings, present: CameraSettings) -> bool:
    """Return whether a source that was opened with `present` must be opened again for `settings`.

    The orientation and the controls of a source can change while it is open. The sensor of a camera
    module, however, is told when it is opened how to turn its picture, and whether to deliver HDR.
    """
    is_module = picamera2_number(settings.source) is not None
    names = OPEN_SETTINGS + SENSOR_SETTINGS if is_module else OPEN_SETTINGS
    changed = any(getattr(settings, name) != getattr(present, name) for name in names)
    return changed or (is_module and settings.controls.hdr != present.controls.hdr)


def must_adjust(settings: CameraSettings, present: CameraSettings) -> bool:
    """Return whether a source that was opened with `present` has to apply something new."""
    return any(getattr(settings, name) != getattr(present, name) for name in ADJUSTABLE_SETTINGS)
