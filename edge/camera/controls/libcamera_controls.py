"""The values of libcamera's controls for `[camera.controls]`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge.camera.controls.control_table import (
    EXPOSURE_NORMAL,
    FLICKER_OFF,
    HDR_OFF,
    MODE_AUTO,
    TABLE,
    WHITE_BALANCES,
)
from edge.config.camera_controls import CameraControls

#: What a camera advertises: the least, the greatest and the default value of each control.
Advertised = Mapping[str, tuple[Any, Any, Any]]
#: Longest time between two frames in microseconds while `low_light` is on: five frames per second
#: still show a person who walks through a door several times.
LOW_LIGHT_FRAME_US = 200_000
#: Values that return a control to the camera, where its advertised default does not: an exposure
#: time or a gain of 0 is an automatic one.
RESETS: dict[str, object] = {
    "ExposureTime": 0,
    "ExposureTimeMode": MODE_AUTO,
    "AnalogueGain": 0.0,
    "AnalogueGainMode": MODE_AUTO,
    "AwbEnable": True,
    "AwbMode": WHITE_BALANCES.index("auto"),
    "AeExposureMode": EXPOSURE_NORMAL,
    "AeFlickerMode": FLICKER_OFF,
    "HdrMode": HDR_OFF,
}
#: Controls that must accompany others and that not every version of libcamera has.
OPTIONAL = frozenset({"ExposureTimeMode", "AnalogueGainMode", "AwbEnable", "AeFlickerPeriod"})


def supported_values(
    controls: CameraControls, advertised: Advertised, sensor_hdr: bool = False
) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return the values of libcamera's controls, and the names of settings without support.

    With `sensor_hdr`, the sensor itself was told about `hdr` when it was opened.
    """
    values: dict[str, object] = {}
    unsupported = []
    for name in controls.names:
        if name == "hdr" and sensor_hdr:
            continue
        group = TABLE[name].libcamera(getattr(controls, name))
        if group and all(_accepts(advertised, key, group[key]) for key in group):
            values |= {key: group[key] for key in group if key in advertised}
        else:
            unsupported.append(name)
    return values, tuple(unsupported)


def with_resets(
    values: Mapping[str, object], previous: Mapping[str, object], advertised: Advertised
) -> dict[str, object]:
    """Return `values`, and the automatic or default value of each other control in `previous`."""
    resets = {}
    for key in previous:
        if key not in advertised:  # `FrameRate` is picamera2's name for a pair of durations
            continue
        reset = RESETS[key] if key in RESETS else advertised[key][2]
        if key not in values and reset is not None:
            resets[key] = reset
    return {**resets, **values}


def frame_rate(controls: CameraControls, fps: float) -> dict[str, object]:
    """Return the control for `fps`, or for a lower rate where the exposure takes longer.

    The exposure of a frame cannot last longer than the frame.
    """
    shortest_us = round(1_000_000 / fps)
    longest_us = LOW_LIGHT_FRAME_US if controls.low_light else controls.exposure_us or 0
    if longest_us <= shortest_us:
        return {"FrameRate": fps}
    return {"FrameDurationLimits": (shortest_us, longest_us)}


def _accepts(advertised: Advertised, key: str, value: object) -> bool:
    """Return whether the camera has the control and this value of it.

    A camera limits a measure to its range itself, but has no substitute for a mode.
    """
    if key not in advertised:
        return key in OPTIONAL
    greatest = advertised[key][1]
    is_mode = isinstance(value, int) and key.endswith("Mode")
    return not is_mode or not isinstance(greatest, int) or value <= greatest  # type: ignore[operator]
