"""The child process that tries a file for OpenCV, where KIND is `cascade` or `yunet`:

`python -m edge.detection.opencv_trial KIND PATH`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from edge.common.arrays import Pixels
from edge.detection.cascade_check import require_sound_cascade
from edge.detection.haar_detector import load_cascade
from edge.detection.yunet_check import require_sound_yunet
from edge.detection.yunet_detector import load_yunet
from edge.inference.trial import run_trial

SEED = 1
#: Width and height of the pictures: the usual search, and an upright one with odd sides.
SIZES = ((320, 180), (175, 321))
MIN_SCORE = 0.5


def main(arguments: list[str]) -> int:
    """Try the file; return the exit code."""
    kind, name = arguments
    path = Path(name)
    cv2.setNumThreads(1)
    return run_trial(path, lambda: TRIALS[kind](path))


def _try_cascade(path: Path) -> str:
    cascade = load_cascade(path)
    require_sound_cascade(path)
    for picture in _pictures():
        cascade.detectMultiScale2(picture)
    return ""


def _try_yunet(path: Path) -> str:
    detector = load_yunet(path, MIN_SCORE)
    require_sound_yunet(path)
    for picture in _pictures():
        detector.setInputSize(picture.shape[::-1])
        detector.detect(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR))
    return ""


def _pictures() -> Iterator[Pixels]:
    """Return black, white, and blurred random pictures, (height, width) uint8."""
    generator = np.random.default_rng(SEED)
    for width, height in SIZES:
        for grey in (0, 255):
            yield np.full((height, width), grey, np.uint8)
        noise = generator.integers(0, 256, (height, width)).astype(np.uint8)
        for side in (1, 9):
            yield np.asarray(cv2.blur(noise, (side, side)), np.uint8)


TRIALS: dict[str, Callable[[Path], str]] = {"cascade": _try_cascade, "yunet": _try_yunet}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
