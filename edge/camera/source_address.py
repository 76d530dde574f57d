"""The address of a source: how users write it, and its form without passwords for logs."""

from __future__ import annotations

import re

from edge.camera.stream_address import host_is_ip_address
from edge.config.settings import CameraSettings

HIDDEN = "***"
#: Parameter names that cameras use for passwords, also as the end of a longer name such as
#: `access_token` or `loginpas`. Such parameters occur in the path as well:
#: `rtsp://cam/user=me&password=…&channel=1`.
_KEY = (
    r"((?:pass?|passwd?|password|passwort|passphrase|passcode|pwd|pswd?|pw|(?<![\w.-])p|token|key"
    r"|auth|authorization|secret|creds?|credentials?|sig|signature|session(?:_?id)?|sid)\d?=)"
)
#: A value ends where the next parameter begins; it may contain a slash, a space and a semicolon.
_SECRET = re.compile(_KEY + r"((?:(?![&;][\w.-]+=).)*)", re.IGNORECASE | re.DOTALL)
#: What may be a user name and a password without a host: the port is no number.
_NO_HOST = re.compile(r"([^/?#@:\[\]]*):(?!\d*(?:[/?#]|\Z))(?![0-9A-Fa-f:]*:)[^@]*")


def display_address(settings: CameraSettings) -> str:
    """Return the source for messages and logs: an address without its password."""
    spec = settings.source
    if spec == "demo":
        return "the bundled demo clip"
    return without_password(spec)


def without_password(spec: str) -> str:
    """Return `spec`, as users write the source, without passwords.

    In an address, everything before the last @ is removed, and the value of each parameter whose
    name denotes a password is replaced by asterisks. So is everything behind a user name if the
    address has no host.
    """
    if lacks_scheme(spec):
        return _SECRET.sub(_hide_value, HIDDEN + spec[spec.rindex("@") :] if "@" in spec else spec)
    scheme, separator, rest = spec.strip().partition("://")
    if not separator:
        return spec
    scheme = scheme.rpartition("@")[2]
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        scheme = HIDDEN
    if found := _NO_HOST.fullmatch(rest):
        return f"{scheme}://{found[1]}:{HIDDEN}"
    path, mark, query = rest.partition("?")
    hidden = _SECRET.sub(_hide_value, path) + mark + _SECRET.sub(_hide_value, query)
    if not host_is_ip_address(rest):  # else each @ belongs to the path or the query
        hidden = hidden.rpartition("@")[2]
    return f"{scheme}://{hidden}"


def lacks_scheme(spec: str) -> bool:
    """Return whether `spec` looks like an address with a password, but without a scheme.

    It may still be the name of a file.
    """
    is_path = spec.startswith(("/", ".", "~")) and not spec.startswith("//")
    has_password = re.search(":.*@", spec, re.DOTALL) or _SECRET.search(spec)
    return not is_path and "://" not in spec and has_password is not None


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


def _hide_value(found: re.Match[str]) -> str:
    # An @ in the value may be the one that separates the login from the host: keep it.
    return f"{found[1]}{HIDDEN}{'@' if '@' in found[2] else ''}"
