"""What may be shown and logged of a source's address."""

from __future__ import annotations

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
