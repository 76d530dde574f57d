"""The address of a source: how users write it, and its form without passwords for logs."""

from __future__ import annotations

import re

from edge.common.hidden_passwords import without_password
from edge.config.settings import CameraSettings


def display_address(settings: CameraSettings) -> str:
    """Return the source for messages and logs: an address without its password."""
    spec = settings.source
    if spec == "demo":
        return "the bundled demo clip"
    return without_password(spec)


def full_spec(source: str) -> str:
    """Return `source` without abbreviations, so that equal results mean the same camera."""
    if source.isdecimal():
        return f"/dev/video{source}"
    if "://" in source:
        return source.strip()
    return f"{source}:0" if source == "picamera2" else source


def is_device(spec: str) -> bool:
    """Return whether `spec` is the path of a local camera, connected or not."""
    return spec.startswith(("/dev/video", "/dev/v4l/"))


def picamera2_number(source: str) -> int | None:
    """Return the number of the camera that `picamera2` or `picamera2:1` names.

    Returns None for any other source.
    """
    found = re.fullmatch(r"picamera2:([0-9]{1,2})", full_spec(source))
    return int(found[1]) if found else None
