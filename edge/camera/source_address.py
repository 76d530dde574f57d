"""What a user may write as a source, and what may be shown and logged of it."""

from __future__ import annotations

import re

from edge.config.settings import CameraSettings

HIDDEN = "***"
#: What cameras call their passwords, also at the end of a longer name (`access_token`), and in
#: the path as well: `rtsp://cam/user=me&password=…&channel=1`.
_KEY = r"((?:pass|passwd|password|pwd|pw|token|key|auth|secret)=)"
#: A value ends where the next part begins; in a query, a slash may be part of it.
_IN_PATH = re.compile(_KEY + r"([^&;/?\s]*)", re.IGNORECASE)
_IN_QUERY = re.compile(_KEY + r"([^&;\s]*)", re.IGNORECASE)


def display_address(settings: CameraSettings) -> str:
    """The source as it may be shown and logged: an address without its password."""
    spec = settings.source
    if spec == "demo":
        return "the bundled demo clip"
    return without_password(spec) if "://" in spec else spec


def without_password(url: str) -> str:
    """`url` as it may be shown: whatever stands before an @ is left out, and so are the values
    of whatever a camera calls its password."""
    scheme, _, rest = url.partition("://")
    path, mark, query = rest.partition("?")
    rest = _IN_PATH.sub(_hidden, path) + mark + _IN_QUERY.sub(_hidden, query)
    return f"{scheme}://{rest.rpartition('@')[2]}"


def full_spec(source: str) -> str:
    """`source` with its abbreviations written out: two names of one camera become the same."""
    if source.isdecimal():
        return f"/dev/video{source}"
    return f"{source}:0" if source == "picamera2" else source


def is_device(spec: str) -> bool:
    """Whether `spec` is the path of a local camera, also of one that is not plugged in."""
    return spec.startswith(("/dev/video", "/dev/v4l/"))


def picamera2_number(source: str) -> int | None:
    """Which camera `picamera2` or `picamera2:1` means; None when `source` is something else."""
    found = re.fullmatch(r"picamera2:([0-9]{1,2})", full_spec(source))
    return int(found[1]) if found else None


def _hidden(found: re.Match[str]) -> str:
    # An @ in it may be the one that ends the name and password before the host.
    return f"{found[1]}{HIDDEN}{'@' if '@' in found[2] else ''}"
