"""Where the files that the daemon needs lie when the configuration names none."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def demo_clip() -> Path:
    """The bundled clip, which the first run plays."""
    return PACKAGE / "assets" / "demo.mp4"


def shipped_model() -> Path:
    """The model that is used when the configuration names none."""
    return PACKAGE.parent / "models" / "mask.tflite"


def event_schema() -> Path:
    """The JSON Schema of a published event."""
    return PACKAGE / "schema" / "event.schema.json"


def state_directory() -> Path:
    """systemd's StateDirectory, else the user's own, by the XDG rules."""
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "mask-patrol"
