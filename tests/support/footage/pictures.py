"""Grey pictures, clips of them, and frames of the demo clip."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.common.arrays import Pixels
from edge.common.paths import demo_clip


def flat(level: int, height: int = 120, width: int = 160) -> Pixels:
    """Return a grey picture whose pixels all have the same level."""
    return np.full((height, width, 3), level, np.uint8)


def write_clip(path: Path, levels: list[int], fps: float = 20.0) -> Path:
    """Write a clip with one grey frame for each of `levels`; return its path."""
    first = flat(0)
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, (first.shape[1], first.shape[0])
    )
    assert writer.isOpened()
    for level in levels:
        writer.write(flat(level))
    writer.release()
    return path


def write_picture(path: Path, level: int) -> Path:
    """Write a grey picture in the format of the suffix of `path`; return the path."""
    assert cv2.imwrite(str(path), flat(level))
    return path


def frames_without_mask() -> list[Pixels]:
    """Return one second of the demo clip, in which a person without a mask stands still."""
    capture = cv2.VideoCapture(str(demo_clip()))
    capture.set(cv2.CAP_PROP_POS_MSEC, 4000)
    return [np.asarray(capture.read()[1], np.uint8) for _ in range(15)]
