"""The result of one picture check, and its limits; shared by the worker and its client.

This module imports neither OpenCV nor a model, so that the dashboard's own process stays small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: A picture of this size and its annotated copy fit into the memory limit of the service.
MAX_PIXELS = 16_000_000
ANNOTATED_QUALITY = 90


@dataclass(frozen=True)
class PictureResult:
    """The faces found in a picture, and the annotated picture.

    `record` has the format of `mask-patrol detect --json`, and in addition `min_face_px`, the width
    in pixels of the smallest face that is searched for, and `alert_threshold`, the score from which
    on a face is one that raises an alert. `annotated` is a JPEG, or None if it was not requested.
    """

    record: dict[str, Any]
    annotated: bytes | None
