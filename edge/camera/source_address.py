"""The address of a source: how users write it, and its form without passwords for logs."""

from __future__ import annotations

import re

from edge.config.settings import CameraSettings

HIDDEN = "***"
#: Parameter names that cameras use for passwords, also as the end of a longer name such as
#: `access_token`. Such parameters occur in the path as well:
#: `rtsp://cam/user=me&password=…&channel=1`.
_KEY = r"((?:pass|passwd|password|pwd|pw|token|key|auth|secret)=)"
#: A value ends where the next part of the address begins; in a query it may contain a slash.
_IN_PATH = re.compile(_KEY + r"([^&;/?\s]*)", re.IGNORECASE)
_IN_QUERY = re.compile(_KEY + r"([^&;\s]*)", re.IGNORECASE)


def display_address(settings: CameraSettings) -> str:
    """Return the source for messages and logs: an address without its password."""
    spec = settings.source
    if spec == "demo":
        return "the bundled demo clip"
    return without_password(spec) if "://" in spec else spec


def without_password(url: str) -> str:
    """Return `url` without passwords.

    Everything before an @ is removed, and the value of each parameter whose name denotes a
    password is replaced by asterisks.
    """
    scheme, _, rest = url.partition("://")
    path, mark, query = rest.partition("?")
    rest = _IN_PATH.sub(_hide_value, path) + mark + _IN_QUERY.sub(_hide_value, query)
    return f"{scheme}://{rest.rpartition('@')[2]}"


def full_spec(source: str) -> str:
    """Return `source` without abbreviations, so that equal results mean the same camera."""
    if source.isdecimal():
        return f"/dev/video{source}"
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


def _hide_value(found: re.Match[str]) -> str:
    # An @ in the value may be the one that separates the login from the host: keep it.
    return f"{found[1]}{HIDDEN}{'@' if '@' in found[2] else ''}"
