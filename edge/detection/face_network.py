"""The network of the learned detector, run by a TFLite runtime on one picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge.common.arrays import Pixels
from edge.common.errors import UserError
from edge.detection.boxes import Floats
from edge.detection.detector_card import DetectorCard, read_detector_card
from edge.detection.point_grid import Detections, Grid, InputSize, decode_detections
from edge.inference.model_file import read_model
from edge.inference.network import Network, Tensor, require_model_trial

#: Grey level of the part of the input that a smaller picture leaves free.
GREY = 114


class FaceNetwork:
    """A `.tflite` file with its card, loaded once and run on one picture at a time."""

    def __init__(self, path: Path, runtime: str | None = None) -> None:
        """Load the file `path`; `runtime` is as in `load_interpreter`.

        A model whose card has no digest is tried in a child process first.

        Raises UserError if the file is damaged or cannot be read or loaded, if its card is missing
        or invalid, or if its tensors do not match the card.
        """
        model = read_model(path, "face detector", "detector.model")
        self.card: DetectorCard = read_detector_card(model, path)
        self.size = InputSize(self.card.input.width, self.card.input.height)
        self._grid = Grid.of(self.size)
        if self.card.flatbuffer_sha256 is None:
            runtime = require_model_trial(model, path, 1, runtime)
        self._network = Network(model, path, 1, runtime)
        self.runtime = self._network.runtime
        self._logits, self._codes = self._outputs(path)
        self._canvas = np.full((1, *self.size.shape), GREY, np.uint8)
        self._filled = (0, 0)

    def find(self, grey: Pixels, min_score: float) -> Detections:
        """Return the faces with a score of at least `min_score` in a (height, width) uint8 picture.

        The picture must not be larger than the input. Boxes are in its pixels, and tight.
        """
        self._run(grey)
        # Nearly all points have a low score, so their boxes are not even converted to floats.
        logits = self._network.output(self._logits)[0]
        likely = np.flatnonzero(logits >= self._raw_limit(min_score))
        codes = self._network.output(self._codes)[0, likely]
        grid = Grid(self._grid.points[likely], self._grid.strides[likely])
        return decode_detections(
            grid, self._logits.real(logits[likely]), self._codes.real(codes), min_score
        )

    def outputs(self, grey: Pixels) -> tuple[Floats, Floats]:
        """Return the logits (points,) and codes (points, 4) for a picture as `find` takes it."""
        self._run(grey)
        logits, codes = (
            tensor.real(self._network.output(tensor)[0]) for tensor in (self._logits, self._codes)
        )
        return logits, codes

    def _run(self, grey: Pixels) -> None:
        height, width = grey.shape
        if (height, width) != self._filled:
            self._canvas[...] = GREY
            self._filled = height, width
        self._canvas[0, :height, :width, 0] = grey
        self._network.run(self._canvas)

    def _raw_limit(self, min_score: float) -> float:
        logit = np.log(min_score / (1.0 - min_score))
        scale, zero_point = self._logits.scale, self._logits.zero_point
        # One step lower, because the exact limit is that of `decode_detections`.
        return float(logit / scale + zero_point - 1.0) if scale else float(logit) - 1e-3

    def _outputs(self, path: Path) -> tuple[Tensor, Tensor]:
        """Return the outputs `logits` and `codes`, which their shapes identify."""
        outputs = {tensor.shape: tensor for tensor in self._network.outputs}
        points = len(self._grid.points)
        wanted = ((1, points), (1, points, 4))
        given = self._network.input
        if (
            given.shape != (1, *self.size.shape)
            or given.dtype != np.uint8
            or set(outputs) != set(wanted)
        ):
            raise UserError(
                f"the card of {path} does not match the model: the input must be"
                f" {[1, *self.size.shape]} uint8 and the outputs {list(map(list, wanted))},"
                f" but they are {list(given.shape)} {given.dtype.name} and"
                f" {sorted(map(list, outputs))}"
            )
        return outputs[wanted[0]], outputs[wanted[1]]
