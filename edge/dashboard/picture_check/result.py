"""The result of one picture check, and its limits; shared by the worker and its client.

It imports neither OpenCV nor a model, so that the dashboard's own process stays small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: With the annotated copy this fits the memory that the service may take.
MAX_PIXELS = 16_000_000
ANNOTATED_QUALITY = 90


@dataclass(frozen=True)
class PictureResult:
    """What was found: as `mask-patrol detect --json` says it, and the annotated JPEG if it was
    asked for."""

    record: dict[str, Any]
    annotated: bytes | None
