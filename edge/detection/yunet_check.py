"""Checks the sizes of YuNet's outputs, from which OpenCV reads without a check."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.common.errors import UserError

#: The values of each point in the four outputs of a stride, by the beginning of the output's name.
VALUES = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
STRIDES = (8, 16, 32)
#: Widths and heights of the inputs that are tried; OpenCV pads every picture to multiples of 32.
SIZES = ((64, 64), (320, 192), (160, 352))


def require_sound_yunet(path: Path) -> None:
    """Raise UserError if an output of the network `path` has another size than OpenCV reads.

    Raises cv2.error if OpenCV cannot run the network.
    """
    network = cv2.dnn.readNetFromONNX(str(path))
    names = [f"{kind}_{stride}" for stride in STRIDES for kind in VALUES]
    for width, height in SIZES:
        network.setInput(np.zeros((1, 3, height, width), np.float32))
        for name, output in zip(names, network.forward(names), strict=True):
            kind, stride = name.split("_")
            points = (width // int(stride)) * (height // int(stride))
            if output.dtype != np.float32 or output.size != points * VALUES[kind]:
                raise UserError(f"{path} is not YuNet: its output {name} has the wrong size")
