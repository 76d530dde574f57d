"""The settings: frozen structs that are read from one TOML file and validated as a whole.

`config.example.toml` in the package `edge` describes every setting for users. A test checks that
its defaults are equal to those in this module.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from edge.common.errors import UsageError
from edge.config import lens_geometry
from edge.config.camera_controls import CameraControls, NightSettings
from edge.config.door_screen import DoorScreenSettings
from edge.config.host_name import host_mistake
from edge.config.notify_rule import NotifyRule, require_different_names
from edge.config.output_settings import (
    MAX_OUTPUTS,
    OutputSettings,
    require_distinct,
    require_raised,
)
from edge.config.title import require_title
from edge.config.toml_schema import Section, format_error, load_toml, text_rule

Fraction = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Seconds = Annotated[float, msgspec.Meta(gt=0.0, le=3600.0)]
#: The third label of a classifier, a mask that is worn incorrectly.
INCORRECT = "incorrect_mask"
NAME_CHARACTERS = "at most 64 letters from A to Z or a to z, digits and the characters . _ -"
#: Name of a device, or empty for the host name. It is a level of an MQTT topic and a segment of a
#: URL, where `.` and `..` have a special meaning.
DeviceName = Annotated[
    str,
    text_rule(
        r"^(?!\.{1,2}\Z)[A-Za-z0-9._-]{0,64}\Z",
        f'{NAME_CHARACTERS}, such as "door-1", but neither "." nor ".."; `title` can be any text',
    ),
]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
#: A level of an MQTT topic, without separators, wildcards and characters that need quoting.
TopicLevel = Annotated[
    str,
    text_rule(
        r"^[A-Za-z0-9._-]{1,64}\Z", f'at least one and {NAME_CHARACTERS}, such as "entrance-2"'
    ),
]
#: x and y from the upper left corner, as fractions of the frame's width and height.
Point = tuple[Fraction, Fraction]
#: x, y, width, height as fractions of the frame.
Rectangle = tuple[Fraction, Fraction, Fraction, Fraction]
#: Degrees clockwise.
Rotation = Literal[0, 90, 180, 270]
#: A host name or address as it is written in a URL, without a port.
HostName = Annotated[
    str,
    text_rule(
        r"^[A-Za-z0-9.:_-]{1,253}\Z",
        'a host name or an IP address without brackets, scheme and path, such as "door.local"',
    ),
]
#: A client identifier of MQTT, or empty for the default. MQTT allows any text, but a broker has to
#: accept only 23 letters and digits; printable ASCII covers what brokers prescribe.
ClientId = Annotated[
    str,
    text_rule(
        r"^[!-~]{0,256}\Z",
        'at most 256 printable ASCII characters without spaces, such as "door-1"',
    ),
]
Days = Annotated[float, msgspec.Meta(gt=0.0, le=3650.0)]


class CameraSettings(Section, frozen=True, kw_only=True):
    """The source of frames."""

    name: TopicLevel = "entrance"
    title: str = ""
    source: Annotated[str, msgspec.Meta(min_length=1)] = "demo"
    source_file: str = ""
    ca_file: str = ""
    width_px: Annotated[int, msgspec.Meta(ge=160, le=4096)] = 640
    height_px: Annotated[int, msgspec.Meta(ge=120, le=4096)] = 480
    fps: Annotated[float, msgspec.Meta(gt=0.0, le=120.0)] = 10.0
    timeout_s: Seconds = 10.0
    black_after_s: Seconds = 60.0
    frozen_after_s: Seconds = 60.0
    rotate: Rotation = 0
    mirror: bool = False
    controls: CameraControls = CameraControls()
    night: NightSettings = NightSettings()
    view_deg: Annotated[float, msgspec.Meta(ge=10.0, le=170.0)] = 62.0
    reopen_for_s: Annotated[float, msgspec.Meta(ge=0.0, le=86_400.0)] = 300.0
    zone: tuple[Point, ...] = ()
    excluded: tuple[Rectangle, ...] = ()
    preview: bool = False
    preview_socket: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError for an invalid title, a source that is given twice, or controls that
        contradict each other.
        """
        require_title(self.title)
        if self.source_file and self.source != "demo":
            raise ValueError("`source` and `source_file` exclude each other: remove one of them")
        try:
            self.controls_at_night.require_consistent()
        except ValueError as error:
            raise ValueError(f"`controls` and `night.controls` together: {error}") from None

    @property
    def controls_at_night(self) -> CameraControls:
        """The controls during `night`."""
        return self.controls.replaced_by(self.night.controls)

    @property
    def picture_view_deg(self) -> float:
        """Horizontal field of view of the turned picture, in degrees."""
        if self.rotate % 180 == 0:
            return self.view_deg
        return lens_geometry.view_across_deg(self.view_deg, self.height_px / self.width_px)


class DetectorSettings(Section, frozen=True, kw_only=True):
    """How faces are searched: the network, the Haar cascade, and their small grey picture."""

    kind: Literal["both", "learned", "haar"] = "both"
    model: str = ""
    min_score: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)] | None = None
    cascade: str = ""
    width_px: Annotated[int, msgspec.Meta(ge=80, le=4096)] = 320
    scale_factor: Annotated[float, msgspec.Meta(gt=1.0, le=2.0)] = 1.1
    min_neighbors: Annotated[int, msgspec.Meta(ge=1, le=50)] = 3
    min_face: Fraction = 0.05
    farthest_m: Annotated[float, msgspec.Meta(ge=0.0, le=50.0)] = 0.0
    full_every_s: Annotated[float, msgspec.Meta(ge=0.0, le=60.0)] = 3.0
    rest_every_s: Annotated[float, msgspec.Meta(ge=0.0, le=60.0)] = 15.0


class ClassifierSettings(Section, frozen=True, kw_only=True):
    """The TFLite model."""

    model: str = ""
    classes: Literal[2, 3] | None = None
    threads: Annotated[int, msgspec.Meta(ge=1, le=16)] = 1


class TrackerSettings(Section, frozen=True, kw_only=True):
    """How long a person is followed while no face is detected, and how readings are smoothed."""

    window_s: Seconds = 1.0
    leave_after_s: Seconds = 2.0


class EventSettings(Section, frozen=True, kw_only=True):
    """When an alert on a person begins, and when it ends."""

    alert_on: Annotated[
        tuple[Literal["no_mask", "incorrect_mask"], ...], msgspec.Meta(min_length=1)
    ] = ("no_mask",)
    alert_threshold: Fraction | None = None
    min_readings: Annotated[int, msgspec.Meta(ge=1, le=100)] = 4
    confirm_s: Annotated[float, msgspec.Meta(ge=0.0, le=60.0)] = 0.3
    masked_after_s: Annotated[float, msgspec.Meta(ge=0.0, le=60.0)] = 1.0


class OutboxSettings(Section, frozen=True, kw_only=True):
    """The queue of events on disk."""

    path: str = ""
    max_events: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 100_000
    max_age_days: Days = 30.0


#: The broker of `watch` and the dashboard if `mqtt.host` is empty: one on the same machine.
DEFAULT_BROKER_HOST = "127.0.0.1"


class MqttSettings(Section, frozen=True, kw_only=True):
    """The MQTT broker; without a host, an embedded broker is started on the loopback address."""

    host: str = ""
    port: Port | None = None
    version: Literal["auto", "5", "3.1.1"] = "auto"
    client_id: ClientId = ""
    base: TopicLevel = "maskpatrol"
    username: str = ""
    password_file: str = ""
    keepalive_s: Annotated[int, msgspec.Meta(ge=5, le=3600)] = 30
    tls: bool = False
    tls_min_version: Literal["1.2", "1.3"] = "1.2"
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    health_interval_s: Seconds = 30.0
    discovery: bool = False
    discovery_prefix: TopicLevel = "homeassistant"

    def __post_init__(self) -> None:
        """Raise ValueError if `host` is not a name or an address alone."""
        if mistake := host_mistake(self.host):
            raise ValueError(mistake)


class MetricsSettings(Section, frozen=True, kw_only=True):
    """The HTTP server of metrics for Prometheus; disabled without a port."""

    host: Annotated[str, msgspec.Meta(min_length=1)] = "127.0.0.1"
    port: Port | None = None


class BoardSettings(Section, frozen=True, kw_only=True):
    """The LED of the board."""

    led: Annotated[
        str,
        text_rule(
            r"^[A-Za-z0-9:_-]{0,64}\Z", 'the name of an LED in /sys/class/leds, such as "ACT"'
        ),
    ] = "ACT"


class SnapshotSettings(Section, frozen=True, kw_only=True):
    """Pictures of alerts on this device's own disk; disabled by default."""

    enabled: bool = False
    path: str = ""
    width_px: Annotated[int, msgspec.Meta(ge=80, le=1920)] = 640
    max_files: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 200
    max_age_days: Days = 7.0


class LoadSettings(Section, frozen=True, kw_only=True):
    """Limits on the use of the processor."""

    opencv_threads: Annotated[int, msgspec.Meta(ge=1, le=16)] = 1
    nice: Annotated[int, msgspec.Meta(ge=0, le=19)] = 0
    hot_c: Annotated[float, msgspec.Meta(ge=30.0, le=120.0)] = 75.0


class DashboardSettings(Section, frozen=True, kw_only=True):
    """The web server of `mask-patrol dashboard`; the daemon does not use these settings."""

    host: Annotated[str, msgspec.Meta(min_length=1)] = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8080
    password_on_loopback: bool = True
    session_hours: Annotated[float, msgspec.Meta(gt=0.0, le=720.0)] = 12.0
    names: tuple[HostName, ...] = ()
    proxies: tuple[HostName, ...] = ()
    cert_file: str = ""
    key_file: str = ""
    mqtt_username: str = ""
    mqtt_password_file: str = ""
    mqtt_cert_file: str = ""
    mqtt_key_file: str = ""
    database: str = ""
    retention_days: Days = 400.0
    max_alerts: Annotated[int, msgspec.Meta(ge=100, le=100_000_000)] = 3_000_000
    shared: Annotated[
        str, text_rule(r"^[A-Za-z0-9._-]{0,64}\Z", f'{NAME_CHARACTERS}, such as "halls"')
    ] = ""


class Settings(Section, frozen=True, kw_only=True):
    """All settings of the daemon and the dashboard."""

    device: DeviceName = ""
    title: str = ""
    camera: CameraSettings = CameraSettings()
    detector: DetectorSettings = DetectorSettings()
    classifier: ClassifierSettings = ClassifierSettings()
    load: LoadSettings = LoadSettings()
    tracker: TrackerSettings = TrackerSettings()
    events: EventSettings = EventSettings()
    outbox: OutboxSettings = OutboxSettings()
    mqtt: MqttSettings = MqttSettings()
    metrics: MetricsSettings = MetricsSettings()
    snapshot: SnapshotSettings = SnapshotSettings()
    board: BoardSettings = BoardSettings()
    output: Annotated[tuple[OutputSettings, ...], msgspec.Meta(max_length=MAX_OUTPUTS)] = ()
    dashboard: DashboardSettings = DashboardSettings()
    door_screen: DoorScreenSettings = DoorScreenSettings()
    notify: tuple[NotifyRule, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError if `title` cannot be a title, if an alert label is not classified, if
        outputs contradict each other or the alert labels, or if two notifications have one name.
        """
        require_title(self.title)
        require_distinct(self.output)
        require_raised(self.output, self.events.alert_on)
        require_different_names(self.notify)
        if self.classifier.classes == 2 and INCORRECT in self.events.alert_on:
            raise ValueError(
                f"`events.alert_on` contains {INCORRECT}, which `classifier.classes = 2` excludes:"
                " remove one of them"
            )

    @property
    def classes(self) -> int:
        """The number of labels that faces are classified with, 2 or 3, if the model has as many."""
        return self.classifier.classes or (3 if INCORRECT in self.events.alert_on else 2)


def default_device() -> str:
    """Return the host name, with a `-` for each character that a topic level must not contain."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:64] or "mask-patrol"


def load_settings(path: Path | None = None) -> Settings:
    """Return the settings in the TOML file `path`, or the defaults if it is None.

    Raises UsageError with one line per mistake in the file.
    """
    settings = Settings()
    raw: dict[str, Any] = {}
    if path is not None:
        settings, raw = load_toml(path, Settings, "the configuration")
    settings = _derive_from_distance(settings, raw.get("detector", {}), path)
    return settings if settings.device else change(settings, device=default_device())


def derive_again(settings: Settings) -> Settings:
    """Return `settings` with what follows from `detector.farthest_m`, after `camera` was changed.

    Raises UsageError if the distance is out of range for the camera.
    """
    return _derive_from_distance(settings, {}, None)


def _derive_from_distance(settings: Settings, given: dict[str, Any], path: Path | None) -> Settings:
    """Return `settings` with the detector's width and narrowest face for `detector.farthest_m`.

    Without `farthest_m` the settings are returned unchanged. `given` are the settings of the
    detector in the file. Raises UsageError for a distance that is out of range, or that
    contradicts a given setting.
    """
    distance_m, view_deg = settings.detector.farthest_m, settings.camera.picture_view_deg
    if not distance_m:
        return settings
    name = f"{path}: `detector.farthest_m`" if path else "`detector.farthest_m`"
    if distance_m < lens_geometry.MIN_DISTANCE_M:
        raise UsageError(
            f"{name}: {distance_m:g} m is too near;"
            f" the minimum is {lens_geometry.MIN_DISTANCE_M:g}, and 0 disables the setting"
        )
    is_haar = settings.detector.kind == "haar"
    needs = lens_geometry.CASCADE if is_haar else lens_geometry.NETWORK
    if distance_m > (max_m := lens_geometry.max_distance_m(view_deg, needs)):
        raise UsageError(
            f"{name}: with a field of view of {view_deg:.3g} degrees,"
            f" faces can be found up to {max_m:g} m away; use a lens with a narrower view"
        )
    min_face = lens_geometry.face_width_fraction(distance_m, view_deg)
    width_px = lens_geometry.search_width_px(min_face, needs)
    derived = {"min_face": round(min_face, 4), "width_px": width_px}
    for key, value in derived.items():
        if given.get(key, value) != value:
            raise UsageError(
                f"{path}: `detector.{key}` is derived from `detector.farthest_m`:"
                " remove one of the two settings"
            )
    return change(settings, detector=derived)


def change(settings: Settings, **changes: Any) -> Settings:
    """Return `settings` with some values replaced: `change(s, device="x", mqtt={"host": "h"})`.

    The result is validated in the same way as the settings in a file. Raises UsageError with the
    first mistake.
    """
    raw = msgspec.to_builtins(settings)
    for name, value in changes.items():
        raw[name] = {**raw[name], **value} if isinstance(value, dict) else value
    try:
        return msgspec.convert(raw, Settings)
    except msgspec.ValidationError as error:
        raise UsageError(format_error(error)) from None
