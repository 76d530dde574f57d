"""Bytes as text, as Web Push writes them: base64url (RFC 4648) without padding."""

from __future__ import annotations

import base64


def to_base64url(raw: bytes) -> str:
    """Return `raw` in base64url without padding, as Web Push writes it."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def from_base64url(text: str) -> bytes:
    """Return what `text`, in base64url with or without padding, contains; raises ValueError."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
