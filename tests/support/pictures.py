"""Pictures and clips that tests make for themselves."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.common.arrays import Pixels
from edge.common.paths import demo_clip


def flat(value: int, height: int = 120, width: int = 160) -> Pixels:
    return np.full((height, width, 3), value, np.uint8)


def write_clip(path: Path, values: list[int], fps: float = 20.0) -> Path:
    """A clip with a grey frame for each of `values`."""
    first = flat(0)
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, (first.shape[1], first.shape[0])
    )
    assert writer.isOpened()
    for value in values:
        writer.write(flat(value))
    writer.release()
    return path


def write_picture(path: Path, value: int) -> Path:
    assert cv2.imwrite(str(path), flat(value))
    return path


def bare_seconds() -> list[Pixels]:
    """Two seconds of the demo clip in which somebody bare stands still."""
    capture = cv2.VideoCapture(str(demo_clip()))
    capture.set(cv2.CAP_PROP_POS_MSEC, 4000)
    return [np.asarray(capture.read()[1], np.uint8) for _ in range(15)]
