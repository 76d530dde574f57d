"""The controls of a V4L2 camera, on a device whose answers the test gives."""

from __future__ import annotations

import pytest

from edge.camera.controls import v4l2_device as v4l2
from edge.camera.controls.v4l2_controls import V4l2Controls
from edge.camera.controls.v4l2_device import ControlRange
from edge.config.camera_controls import CameraControls

#: Ranges of a webcam.
RANGES = {
    v4l2.BRIGHTNESS: ControlRange(-64, 64, 1, 0),
    v4l2.CONTRAST: ControlRange(0, 64, 1, 32),
    v4l2.SATURATION: ControlRange(0, 128, 1, 64),
    v4l2.SHARPNESS: ControlRange(0, 6, 1, 0),
    v4l2.GAIN: ControlRange(0, 150, 10, 0),
    v4l2.AUTO_WHITE_BALANCE: ControlRange(0, 1, 1, 1),
    v4l2.WHITE_BALANCE_TEMPERATURE: ControlRange(2800, 6500, 1, 4600),
    v4l2.EXPOSURE_AUTO: ControlRange(0, 3, 1, 3),
    v4l2.EXPOSURE_ABSOLUTE: ControlRange(1, 5000, 1, 157),
    v4l2.EXPOSURE_AUTO_PRIORITY: ControlRange(0, 1, 1, 0),
    v4l2.FOCUS_AUTO: ControlRange(0, 1, 1, 1),
    v4l2.FOCUS_ABSOLUTE: ControlRange(0, 250, 5, 0),
    v4l2.POWER_LINE_FREQUENCY: ControlRange(0, 2, 1, 1),
}


class Device:
    """A device that records what is set, and refuses values out of range."""

    def __init__(self) -> None:
        self.ranges = dict(RANGES)
        self.values = {control: found.default for control, found in RANGES.items()}
        self.order: list[int] = []

    def query(self, control: int) -> ControlRange | None:
        return self.ranges.get(control)

    def set(self, control: int, value: int) -> None:
        found = self.ranges[control]
        if not found.minimum <= value <= found.maximum:
            raise OSError("Numerical result out of range")
        self.order.append(control)
        self.values[control] = value


@pytest.mark.parametrize(
    ("controls", "expected"),
    [
        ({"exposure_us": 10_000}, {v4l2.EXPOSURE_AUTO: 1, v4l2.EXPOSURE_ABSOLUTE: 100}),
        ({"exposure_us": 20}, {v4l2.EXPOSURE_AUTO: 1, v4l2.EXPOSURE_ABSOLUTE: 1}),
        ({"gain": 1.0}, {v4l2.GAIN: 0}),
        ({"gain": 8.5}, {v4l2.GAIN: 80}),
        ({"gain": 64.0}, {v4l2.GAIN: 150}),
        ({"low_light": True}, {v4l2.EXPOSURE_AUTO_PRIORITY: 1}),
        ({"white_balance": "auto"}, {v4l2.AUTO_WHITE_BALANCE: 1}),
        (
            {"white_balance": 5000},
            {v4l2.AUTO_WHITE_BALANCE: 0, v4l2.WHITE_BALANCE_TEMPERATURE: 5000},
        ),
        ({"white_balance": 9000}, {v4l2.WHITE_BALANCE_TEMPERATURE: 6500}),
        ({"white_balance": "daylight"}, {v4l2.WHITE_BALANCE_TEMPERATURE: 5500}),
        ({"autofocus": False}, {v4l2.FOCUS_AUTO: 0}),
        ({"lens_position": 0.8}, {v4l2.FOCUS_AUTO: 0, v4l2.FOCUS_ABSOLUTE: 20}),
        ({"brightness": -0.5}, {v4l2.BRIGHTNESS: -32}),
        ({"contrast": 1.5}, {v4l2.CONTRAST: 48}),
        ({"contrast": 16.0}, {v4l2.CONTRAST: 64}),
        ({"saturation": 0.0}, {v4l2.SATURATION: 0}),
        ({"sharpness": 1.5}, {v4l2.SHARPNESS: 3}),  # the default is the minimum
        ({"anti_flicker": 60}, {v4l2.POWER_LINE_FREQUENCY: 2}),
        ({"anti_flicker": "off"}, {v4l2.POWER_LINE_FREQUENCY: 0}),
    ],
)
def test_setting_is_converted_to_the_range_of_the_camera(
    controls: dict[str, object], expected: dict[int, int]
) -> None:
    device = Device()
    assert V4l2Controls().apply(device, CameraControls(**controls)) == ()  # type: ignore[arg-type]
    assert {control: device.values[control] for control in expected} == expected


def test_automatic_mode_is_left_before_the_value_is_set() -> None:
    device = Device()
    V4l2Controls().apply(device, CameraControls(exposure_us=10_000))
    assert device.order == [v4l2.EXPOSURE_AUTO, v4l2.EXPOSURE_ABSOLUTE]


def test_unsupported_and_refused_settings_are_named() -> None:
    device = Device()
    controls = CameraControls(
        hdr=True,  # the device has no such control
        exposure_ev=1.0,  # V4L2 has no such control
        anti_flicker="auto",  # the device refuses this value
        contrast=0.5,
    )
    assert V4l2Controls().apply(device, controls) == ("exposure_ev", "hdr", "anti_flicker")
    assert device.values[v4l2.CONTRAST] == 16


def test_camera_without_automatic_modes_takes_the_values() -> None:
    device = Device()
    for control in (v4l2.EXPOSURE_AUTO, v4l2.AUTO_WHITE_BALANCE, v4l2.FOCUS_AUTO):
        del device.ranges[control]
    controls = CameraControls(exposure_us=10_000, white_balance=5000, lens_position=0.0)
    assert V4l2Controls().apply(device, controls) == ()


def test_settings_that_are_removed_return_to_the_default() -> None:
    device, controls = Device(), V4l2Controls()
    controls.apply(device, CameraControls(exposure_us=10_000, contrast=0.5))
    device.values[v4l2.SATURATION] = 100  # set by another program
    controls.apply(device, CameraControls(contrast=0.5))
    assert device.values[v4l2.EXPOSURE_AUTO] == 3
    assert device.values[v4l2.CONTRAST] == 16
    controls.apply(device, CameraControls())
    assert device.values == {**{c: r.default for c, r in RANGES.items()}, v4l2.SATURATION: 100}
