"""The network of the learned detector, run by a TFLite runtime on one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edge.common.arrays import Pixels
from edge.common.errors import UserError
from edge.detection.boxes import Floats
from edge.detection.detector_card import DetectorCard, read_detector_card
from edge.detection.point_grid import Detections, Grid, InputSize, decode_detections
from edge.inference.interpreter import load_interpreter
from edge.inference.model_file import read_model

#: Grey level of the part of the input that a smaller picture leaves free.
GREY = 114


class FaceNetwork:
    """A `.tflite` file with its card, loaded once and run on one picture at a time."""

    def __init__(self, path: Path, runtime: str | None = None) -> None:
        """Load the file `path`; `runtime` is as in `load_interpreter`.

        Raises UserError if the file cannot be read or loaded, if its card is missing or invalid,
        or if its tensors do not match the card.
        """
        model = read_model(path, "face detector", "detector.model")
        self.card: DetectorCard = read_detector_card(model, path)
        self.size = InputSize(self.card.input.width, self.card.input.height)
        self._grid = Grid.of(self.size)
        interpreter, self.runtime = load_interpreter(model, 1, runtime)
        self._interpreter: Any = interpreter
        self._input: Any = interpreter.get_input_details()[0]
        self._logits, self._codes = self._outputs(path)
        self._canvas = np.full((1, *self.size.shape), GREY, np.uint8)
        self._filled = (0, 0)

    def find(self, grey: Pixels, min_score: float) -> Detections:
        """Return the faces with a score of at least `min_score` in a (height, width) uint8 picture.

        The picture must not be larger than the input. Boxes are in its pixels, and tight.
        """
        self._run(grey)
        # Nearly all points have a low score, so their boxes are not even converted to floats.
        logits = self._interpreter.get_tensor(self._logits["index"])[0]
        likely = np.flatnonzero(logits >= self._raw_limit(min_score))
        codes = self._interpreter.get_tensor(self._codes["index"])[0, likely]
        grid = Grid(self._grid.points[likely], self._grid.strides[likely])
        return decode_detections(
            grid, _real(logits[likely], self._logits), _real(codes, self._codes), min_score
        )

    def outputs(self, grey: Pixels) -> tuple[Floats, Floats]:
        """Return the logits (points,) and codes (points, 4) for a picture as `find` takes it."""
        self._run(grey)
        logits, codes = (
            _real(self._interpreter.get_tensor(each["index"])[0], each)
            for each in (self._logits, self._codes)
        )
        return logits, codes

    def _run(self, grey: Pixels) -> None:
        height, width = grey.shape
        if (height, width) != self._filled:
            self._canvas[...] = GREY
            self._filled = height, width
        self._canvas[0, :height, :width, 0] = grey
        self._interpreter.set_tensor(self._input["index"], self._canvas)
        self._interpreter.invoke()

    def _raw_limit(self, min_score: float) -> float:
        logit = np.log(min_score / (1.0 - min_score))
        scale, zero_point = self._logits["quantization"]
        # One step lower, because the exact limit is that of `decode_detections`.
        return float(logit / scale + zero_point - 1.0) if scale else float(logit) - 1e-3

    def _outputs(self, path: Path) -> tuple[Any, Any]:
        """Return the details of the outputs `logits` and `codes`, which their shapes identify."""
        outputs = {
            tuple(each["shape"].tolist()): each for each in self._interpreter.get_output_details()
        }
        points = len(self._grid.points)
        wanted = ((1, points), (1, points, 4))
        shape = tuple(self._input["shape"].tolist())
        if (
            shape != (1, *self.size.shape)
            or self._input["dtype"] != np.uint8
            or set(outputs) != set(wanted)
        ):
            raise UserError(
                f"the card of {path} does not match the model: the input must be"
                f" {[1, *self.size.shape]} uint8 and the outputs {list(map(list, wanted))},"
                f" but they are {list(shape)} {np.dtype(self._input['dtype']).name} and"
                f" {sorted(map(list, outputs))}"
            )
        return outputs[wanted[0]], outputs[wanted[1]]


def _real(raw: np.ndarray[Any, Any], details: Any) -> Floats:
    scale, zero_point = details["quantization"]
    values = raw.astype(np.float32)
    return (values - np.float32(zero_point)) * np.float32(scale) if scale else values
