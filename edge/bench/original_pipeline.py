"""The original Mask Patrol's pipeline: Haar on every full frame, then its network on each face.

It processes a frame as the live demonstration of github.com/crystal-ctrl/deep_learning_project
does. `convert/original_model.py` makes the network file, so that no TensorFlow is needed here. Its
weights are random, which does not change the time: a dense float32 network multiplies every weight
with every activation and has no branches. (Denormal numbers would be slow on some processors, and
zeros fast in a sparse network; the file contains neither.)
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.bench.stage_costs import StageCosts
from edge.camera.source import Frame
from edge.common.arrays import Pixels
from edge.detection.haar_detector import default_cascade
from edge.inference.interpreter import load_interpreter

CASCADE = "haarcascade_frontalface_default.xml"
SCALE_FACTOR = 1.1
MIN_NEIGHBORS = 8
SIDE_PX = 150
MODEL = Path(__file__).with_name("original.tflite.gz")


def original_model() -> bytes:
    """Return the network as a float32 `.tflite`: (1, 150, 150, 3) RGB, 0 to 255, to (1, 1)."""
    return gzip.decompress(MODEL.read_bytes())


class Original:
    """The original's pipeline as a contender; it keeps no state between frames."""

    name = "original"

    def __init__(self) -> None:
        """Load the cascade and the network, and run the network once, as the first run is slower.

        Raises UserError when no TFLite runtime is installed.
        """
        model = original_model()
        self.model_bytes = len(model)
        self._interpreter: Any
        self._interpreter, self.runtime = load_interpreter(model, threads=1)
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._cascade = cv2.CascadeClassifier(str(default_cascade().with_name(CASCADE)))
        self.begin(StageCosts())
        self._score(np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8))

    def begin(self, costs: StageCosts) -> None:
        """Start a clip; the times of the stages are added to `costs`."""
        self._costs = costs
        #: Faces found in all frames so far; a face counts once in each frame.
        self.faces = 0

    def wants(self, frame: Frame) -> bool:
        """Return True: the original processes every frame."""
        del frame
        return True

    def process(self, frame: Frame) -> None:
        """Find the faces of `frame` and classify each face."""
        image = frame.image_bgr
        with self._costs.measure("detect"):
            grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
            boxes = self._cascade.detectMultiScale(grey, SCALE_FACTOR, MIN_NEIGHBORS)
        with self._costs.measure("classify"):
            for x, y, w, h in boxes:
                self._score(image[y : y + h, x : x + w])
        self.faces += len(boxes)

    def end(self) -> None:
        """End the clip."""

    @property
    def found(self) -> str:
        """A readable summary of what was found in the clip so far."""
        return f"{self.faces} faces"

    def _score(self, face_bgr: Pixels) -> float:
        face = cv2.resize(face_bgr, (SIDE_PX, SIDE_PX))
        rgb = cv2.cvtColor(face, cv2.COLOR_BGR2RGB).astype(np.float32)
        self._interpreter.set_tensor(self._input, rgb[np.newaxis])
        self._interpreter.invoke()
        return float(self._interpreter.get_tensor(self._output)[0, 0])
