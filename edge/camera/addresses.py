"""What a user may write as a source, and what may be shown and logged of it."""

from __future__ import annotations

import re

from edge.config import CameraSettings


def shown_source(settings: CameraSettings) -> str:
    """The source as it may be shown and logged: an address without its password."""
    spec = settings.source
    if spec == "demo":
        return "the bundled demo clip"
    return without_password(spec) if "://" in spec else spec


def without_password(url: str) -> str:
    """`url` as it may be shown: whatever stands before an @ is left out."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def full_spec(source: str) -> str:
    """`source` with its abbreviations written out: two names of one camera become the same."""
    if source.isdecimal():
        return f"/dev/video{source}"
    return f"{source}:0" if source == "picamera2" else source


def picamera2_number(source: str) -> int | None:
    """Which camera `picamera2` or `picamera2:1` means; None when `source` is something else."""
    found = re.fullmatch(r"picamera2:([0-9]{1,2})", full_spec(source))
    return int(found[1]) if found else None
