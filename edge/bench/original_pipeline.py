"""The original Mask Patrol's pipeline: Haar on every full frame, then its network on each face.

What it does with a frame is what github.com/crystal-ctrl/deep_learning_project does in its live
demonstration. Its network is ours to time without TensorFlow: `convert/original_model.py` makes
the file. The weights are made up, which the clock does not see: a dense float32 network multiplies
every weight with every activation, whatever they are, and branches on none of them. (Denormals
would be slow on some processors, and zeros quick in a sparse network: there are none of either.)
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.bench.stage_costs import StageCosts
from edge.camera.source import Frame
from edge.classification.interpreter import load_interpreter
from edge.common.arrays import Pixels
from edge.detection.face_detector import default_cascade

CASCADE = "haarcascade_frontalface_default.xml"
SCALE_FACTOR = 1.1
MIN_NEIGHBORS = 8
SIDE_PX = 150
MODEL = Path(__file__).with_name("original.tflite.gz")


def original_model() -> bytes:
    """The network as a float32 `.tflite`: (1, 150, 150, 3) RGB, 0 to 255 ──► (1, 1)."""
    return gzip.decompress(MODEL.read_bytes())


class Original:
    """A contender: nothing is remembered from frame to frame."""

    name = "original"

    def __init__(self) -> None:
        """Load cascade and network, and run the network once: the first time is slower.

        Raises UserError when no TFLite runtime is here.
        """
        model = original_model()
        self.model_bytes = len(model)
        self._interpreter: Any
        self._interpreter, self.runtime = load_interpreter(model, threads=1)
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._cascade = cv2.CascadeClassifier(str(default_cascade().with_name(CASCADE)))
        self.begin(StageCosts())
        self._bare(np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8))

    def begin(self, costs: StageCosts) -> None:
        """A clip begins; `costs` is fed with what the stages take."""
        self._costs = costs
        #: Faces in all frames so far, the same one in each counted anew.
        self.faces = 0

    def wants(self, frame: Frame) -> bool:
        """Every one."""
        del frame
        return True

    def process(self, frame: Frame) -> None:
        """Find the faces of `frame` and say of each how bare it is."""
        image = frame.image_bgr
        with self._costs.measure("detect"):
            grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
            boxes = self._cascade.detectMultiScale(grey, SCALE_FACTOR, MIN_NEIGHBORS)
        with self._costs.measure("classify"):
            for x, y, w, h in boxes:
                self._bare(image[y : y + h, x : x + w])
        self.faces += len(boxes)

    def end(self) -> None:
        """The clip is over."""

    @property
    def found(self) -> str:
        """What the clip has brought so far, for people."""
        return f"{self.faces} faces"

    def _bare(self, face_bgr: Pixels) -> float:
        face = cv2.resize(face_bgr, (SIDE_PX, SIDE_PX))
        rgb = cv2.cvtColor(face, cv2.COLOR_BGR2RGB).astype(np.float32)
        self._interpreter.set_tensor(self._input, rgb[np.newaxis])
        self._interpreter.invoke()
        return float(self._interpreter.get_tensor(self._output)[0, 0])
