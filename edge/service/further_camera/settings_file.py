"""The settings file of a new camera."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.camera.source_address import full_spec, is_device, picamera2_number
from edge.camera.source_factory import STREAM_SCHEMES
from edge.common.errors import UsageError
from edge.common.hidden_passwords import lacks_scheme, without_password
from edge.common.paths import exists, user_path
from edge.config.installed_camera import InstalledCamera
from edge.config.settings import Settings, change

EXAMPLE = "/opt/mask-patrol/current/share/mask-patrol/config.example.toml"


@dataclass(frozen=True)
class NewCamera:
    """What somebody has said of a new camera.

    `broker` is the host and the port of a broker that no other camera of this device uses. Without
    a user name, the login at the broker is that of another camera.
    """

    name: str
    source: str = field(repr=False)  # may contain a password
    title: str = ""
    broker: tuple[str, int | None] | None = None
    username: str = ""
    password: str = field(default="", repr=False)

    @property
    def source_is_secret(self) -> bool:
        """Whether the source contains a password, which does not belong into the settings."""
        return without_password(self.source) != self.source


def usable_source(source: str) -> str:
    """Return `source` as the daemon needs it: the path of a file is absolute.

    Raises UsageError if it cannot be a source, whether the camera is connected or not.
    """
    spec = full_spec(source)
    scheme, separator, _ = spec.partition("://")
    if separator:
        if scheme.lower() not in STREAM_SCHEMES:
            raise UsageError(
                "--source: the address must begin with "
                + ", ".join(f"{scheme}://" for scheme in STREAM_SCHEMES)
            )
        return spec
    if is_device(spec) or picamera2_number(spec) is not None or spec == "demo":
        return spec
    path = user_path(spec)
    if exists(path):
        return str(path.absolute())
    if lacks_scheme(spec):
        raise UsageError(
            "--source looks like an address, but has no scheme: begin it with rtsp:// or http://"
        )
    raise UsageError(
        f"--source: there is no {path}; a camera is picamera2, picamera2:1, /dev/video0, rtsp://…"
        " or http://…"
    )


def local_camera(source: str) -> str:
    """Return the path or number of a camera that only one process can open, else an empty text."""
    spec = full_spec(source)
    if picamera2_number(spec) is not None:
        return spec
    # The links in /dev/v4l lead to the same device.
    return str(Path(spec).resolve()) if is_device(spec) else ""


def require_valid(new: NewCamera, mqtt: Mapping[str, Any]) -> Settings:
    """Return the settings of the new camera; raises UsageError with the first mistake in them."""
    return change(
        Settings(),
        device=new.name,
        title=new.title,
        camera={"source": new.source},
        mqtt=dict(mqtt),
        board={"led": ""},
    )


def settings_text(camera: InstalledCamera, new: NewCamera, mqtt: Mapping[str, Any]) -> str:
    """Return the content of the settings file; `mqtt` are the settings of the broker."""
    lines = [
        f"# The camera {camera.name} of this device: {camera.unit}. A setting that is missing here",
        f"# has its default; {EXAMPLE}",
        f"# explains all settings. After a change: sudo systemctl reload {camera.service}",
        f"device = {_toml(new.name)}",
        *([f"title = {_toml(new.title)}"] if new.title else []),
        "",
        "[camera]",
        (
            f"# The address, which contains a password, is in {camera.credentials}/camera-source"
            if new.source_is_secret
            else f"source = {_toml(new.source)}"
        ),
        "",
        "[mqtt]",
        *(f"{key} = {_toml(value)}" for key, value in mqtt.items()),
        "",
        "[board]",
        "# The LED shows the state of the first camera.",
        'led = ""',
    ]
    return "\n".join(lines) + "\n"


def _toml(value: str | float | bool) -> str:
    # A JSON string, number or boolean is valid TOML, except for the character DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
