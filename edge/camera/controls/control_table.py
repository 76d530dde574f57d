"""The table of `[camera.controls]`: what each setting means to libcamera and to V4L2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from edge.camera.controls import v4l2_device as v4l2
from edge.camera.controls.v4l2_device import ControlRange

#: `gain` and `lens_position` at the upper end of a range for which V4L2 defines no unit.
MAX_GAIN, MAX_LENS_POSITION = 16.0, 10.0
#: Colour temperatures in kelvins that photography associates with these names.
KELVINS = {
    "incandescent": 2700,
    "tungsten": 3000,
    "fluorescent": 4000,
    "indoor": 3500,
    "daylight": 5500,
    "cloudy": 6500,
}
# The numbers of libcamera's enumerations (control_ids_core.yaml).
MODE_AUTO, MODE_MANUAL = 0, 1
WHITE_BALANCES = ("auto", "incandescent", "tungsten", "fluorescent", "indoor", "daylight", "cloudy")
METERINGS = ("centre", "spot", "matrix")
NOISE_REDUCTIONS = ("off", "fast", "high_quality")
FLICKER_OFF, FLICKER_MANUAL, FLICKER_AUTO = 0, 1, 2
AUTOFOCUS_MANUAL, AUTOFOCUS_CONTINUOUS = 0, 2
EXPOSURE_NORMAL, EXPOSURE_LONG = 0, 2
HDR_OFF, HDR_SINGLE_EXPOSURE = 0, 3
# The numbers of V4L2's menus (linux/v4l2-controls.h).
V4L2_EXPOSURE_MANUAL = 1
V4L2_METERING = {"centre": 1, "spot": 2, "matrix": 3}
V4L2_FLICKER = {"off": 0, 50: 1, 60: 2, "auto": 3}


@dataclass(frozen=True)
class Assignment:
    """A value for one control of V4L2, which `choose` selects in the range of the control.

    `needed`: without this control the camera does not support the setting. The other assignments
    of the setting switch an automatic mode off or on, which not every camera has.
    """

    control: int
    choose: Callable[[ControlRange], int]
    needed: bool = True


def _no_values(value: Any) -> Mapping[str, object]:
    del value
    return {}


def _no_assignments(value: Any) -> tuple[Assignment, ...]:
    del value
    return ()


@dataclass(frozen=True)
class Row:
    """What the value of one setting means: libcamera's controls, and the assignments of V4L2.

    Both are empty where a setting has no counterpart.
    """

    libcamera: Callable[[Any], Mapping[str, object]] = _no_values
    v4l2: Callable[[Any], tuple[Assignment, ...]] = _no_assignments


def _number(control: int, value: float) -> Assignment:
    """Return the assignment of `value`, or of the nearest value that the camera has."""
    return Assignment(control, lambda found: found.nearest(value))


def _mode(control: int, value: int) -> Assignment:
    """Return the assignment that selects a mode, if the camera has the control."""
    return Assignment(control, lambda _: value, needed=False)


def _switch(control: int) -> Callable[[bool], tuple[Assignment, ...]]:
    return lambda value: (Assignment(control, lambda _: int(value)),)


def _menu(control: int, numbers: Mapping[Any, int]) -> Callable[[Any], tuple[Assignment, ...]]:
    return lambda value: (Assignment(control, lambda _: numbers[value]),)


def _share(control: int, whole: float, offset: float = 0.0) -> Callable[[float], Assignment]:
    """Return assignments for a range from `offset` to `whole` whose unit V4L2 does not define."""

    def assign(value: float) -> Assignment:
        share = min(1.0, (value - offset) / (whole - offset))
        return Assignment(control, lambda found: found.at_fraction(share))

    return assign


def _factor(control: int) -> Callable[[float], tuple[Assignment, ...]]:
    return lambda value: (Assignment(control, lambda found: found.at_factor(value)),)


def _libcamera_white_balance(value: str | int) -> Mapping[str, object]:
    if isinstance(value, str):
        return {"AwbEnable": True, "AwbMode": WHITE_BALANCES.index(value)}
    return {"AwbEnable": False, "ColourTemperature": value}


def _v4l2_white_balance(value: str | int) -> tuple[Assignment, ...]:
    if value == "auto":
        return (Assignment(v4l2.AUTO_WHITE_BALANCE, lambda _: 1),)
    kelvins = KELVINS[value] if isinstance(value, str) else value
    return (
        _mode(v4l2.AUTO_WHITE_BALANCE, 0),
        _number(v4l2.WHITE_BALANCE_TEMPERATURE, kelvins),
    )


def _libcamera_flicker(value: str | int) -> Mapping[str, object]:
    if isinstance(value, str):
        return {"AeFlickerMode": FLICKER_OFF if value == "off" else FLICKER_AUTO}
    # Light flickers at twice the frequency of the mains; the period is in microseconds.
    return {"AeFlickerMode": FLICKER_MANUAL, "AeFlickerPeriod": 1_000_000 // (2 * value)}


TABLE: Mapping[str, Row] = {
    "exposure_us": Row(
        lambda value: {"ExposureTime": value, "ExposureTimeMode": MODE_MANUAL},
        # V4L2 counts in units of 100 µs.
        lambda value: (
            _mode(v4l2.EXPOSURE_AUTO, V4L2_EXPOSURE_MANUAL),
            _number(v4l2.EXPOSURE_ABSOLUTE, max(1, round(value / 100))),
        ),
    ),
    "exposure_ev": Row(lambda value: {"ExposureValue": value}),
    "gain": Row(
        lambda value: {"AnalogueGain": value, "AnalogueGainMode": MODE_MANUAL},
        lambda value: (_mode(v4l2.AUTOGAIN, 0), _share(v4l2.GAIN, MAX_GAIN, 1.0)(value)),
    ),
    "metering": Row(
        lambda value: {"AeMeteringMode": METERINGS.index(value)},
        _menu(v4l2.EXPOSURE_METERING, V4L2_METERING),
    ),
    "backlight_compensation": Row(
        v4l2=lambda value: (_share(v4l2.BACKLIGHT_COMPENSATION, 1.0)(value),)
    ),
    # In libcamera, frames may also last longer: see `libcamera_controls.frame_rate`.
    "low_light": Row(
        lambda value: {"AeExposureMode": EXPOSURE_LONG if value else EXPOSURE_NORMAL},
        _switch(v4l2.EXPOSURE_AUTO_PRIORITY),
    ),
    "hdr": Row(
        lambda value: {"HdrMode": HDR_SINGLE_EXPOSURE if value else HDR_OFF},
        _switch(v4l2.WIDE_DYNAMIC_RANGE),
    ),
    "white_balance": Row(_libcamera_white_balance, _v4l2_white_balance),
    "autofocus": Row(
        lambda value: {"AfMode": AUTOFOCUS_CONTINUOUS if value else AUTOFOCUS_MANUAL},
        _switch(v4l2.FOCUS_AUTO),
    ),
    "lens_position": Row(
        lambda value: {"AfMode": AUTOFOCUS_MANUAL, "LensPosition": value},
        lambda value: (
            _mode(v4l2.FOCUS_AUTO, 0),
            _share(v4l2.FOCUS_ABSOLUTE, MAX_LENS_POSITION)(value),
        ),
    ),
    "brightness": Row(
        lambda value: {"Brightness": value},
        lambda value: (Assignment(v4l2.BRIGHTNESS, lambda found: found.at_offset(value)),),
    ),
    "contrast": Row(lambda value: {"Contrast": value}, _factor(v4l2.CONTRAST)),
    "saturation": Row(lambda value: {"Saturation": value}, _factor(v4l2.SATURATION)),
    "sharpness": Row(lambda value: {"Sharpness": value}, _factor(v4l2.SHARPNESS)),
    "noise_reduction": Row(lambda value: {"NoiseReductionMode": NOISE_REDUCTIONS.index(value)}),
    "anti_flicker": Row(_libcamera_flicker, _menu(v4l2.POWER_LINE_FREQUENCY, V4L2_FLICKER)),
}
