"""The tables `[camera.controls]` and `[camera.night]`: what the camera itself is told, in the same
units for all kinds of cameras.

`edge.camera.controls.control_table` says what each setting means to libcamera and to V4L2.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from edge.config.hours import Hours, TimeOfDay, require_period
from edge.config.toml_schema import Section

#: A factor of the camera's normal value, which is 1.
Factor = Annotated[float, msgspec.Meta(ge=0.0, le=16.0)]
WhiteBalance = Literal[
    "auto", "incandescent", "tungsten", "fluorescent", "indoor", "daylight", "cloudy"
]
Kelvin = Annotated[int, msgspec.Meta(ge=2000, le=10_000)]


class CameraControls(Section, frozen=True, kw_only=True):
    """The controls of the camera. A control that is None keeps the value of the camera."""

    #: An error about an unknown setting of this table lists those that are known.
    lists_known: ClassVar[bool] = True

    exposure_us: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None
    exposure_ev: Annotated[float, msgspec.Meta(ge=-8.0, le=8.0)] | None = None
    gain: Annotated[float, msgspec.Meta(ge=1.0, le=64.0)] | None = None
    metering: Literal["centre", "spot", "matrix"] | None = None
    backlight_compensation: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] | None = None
    low_light: bool | None = None
    hdr: bool | None = None
    white_balance: WhiteBalance | Kelvin | None = None
    autofocus: bool | None = None
    lens_position: Annotated[float, msgspec.Meta(ge=0.0, le=32.0)] | None = None
    brightness: Annotated[float, msgspec.Meta(ge=-1.0, le=1.0)] | None = None
    contrast: Factor | None = None
    saturation: Factor | None = None
    sharpness: Factor | None = None
    noise_reduction: Literal["off", "fast", "high_quality"] | None = None
    anti_flicker: Literal["off", "auto", 50, 60] | None = None

    def __post_init__(self) -> None:
        """Raise ValueError if two settings contradict each other."""
        self.require_consistent()

    def require_consistent(self) -> None:
        """Raise ValueError if two settings contradict each other."""
        if self.autofocus and self.lens_position is not None:
            raise ValueError("`lens_position` needs `autofocus = false`, or no `autofocus`")
        if self.low_light and self.exposure_us is not None:
            raise ValueError("`low_light` and `exposure_us` exclude each other")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the controls that are set."""
        return tuple(name for name in self.__struct_fields__ if getattr(self, name) is not None)

    def replaced_by(self, others: CameraControls) -> CameraControls:
        """Return these controls with those that `others` set instead."""
        return msgspec.structs.replace(
            self, **{name: getattr(others, name) for name in others.names}
        )


class NightSettings(Section, frozen=True, kw_only=True):
    """The hours in which other controls hold; none without `start` and `end`."""

    start: TimeOfDay = ""
    end: TimeOfDay = ""
    controls: CameraControls = CameraControls()

    def __post_init__(self) -> None:
        """Raise ValueError if the hours are incomplete, or a control cannot change in operation."""
        require_period(self.start, self.end)
        if self.controls.names and not self.start:
            raise ValueError("`controls` need the hours in which they hold: set `start` and `end`")
        if self.controls.hdr is not None:
            raise ValueError("`controls.hdr` cannot change while the camera runs: remove it")

    def includes(self, minute: int) -> bool:
        """Return whether `minute`, counted from midnight, is in these hours."""
        return bool(self.start) and Hours(start=self.start, end=self.end).include(0, minute)
