"""A clip in which a person without a mask comes and goes repeatedly: many events in little time."""

from __future__ import annotations

from pathlib import Path

import cv2

from edge.common.arrays import Pixels
from tests.support.footage.demo_frames import demo_frame

#: Times in the demo clip at which the first visitor looks into the camera, and at which the hall
#: is empty.
BARE_S, EMPTY_S = 5.0, 0.0
#: Settings with which each visit in the clip raises an alert that starts and ends.
FAST_ALERTS = """
[tracker]
window_s = 0.2
leave_after_s = 0.15
[events]
min_readings = 1
confirm_s = 0.0
"""


def frame_at(seconds: float, width_px: int = 320) -> Pixels:
    """Return the frame of the demo clip at `seconds`, scaled to a width of `width_px`."""
    frame = demo_frame(seconds)
    height = round(frame.shape[0] * width_px / frame.shape[1])
    return cv2.resize(frame, (width_px, height), interpolation=cv2.INTER_AREA).astype("uint8")


def write_visits(path: Path, visits: int, fps: float = 10.0) -> Path:
    """Write a clip that shows a bare face for three frames and an empty hall for three, repeated
    `visits` times; return its path."""
    bare, empty = frame_at(BARE_S), frame_at(EMPTY_S)
    size = (bare.shape[1], bare.shape[0])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
    assert writer.isOpened()
    for _ in range(visits):
        for frame in [bare] * 3 + [empty] * 3:
            writer.write(frame)
    writer.release()
    return path
