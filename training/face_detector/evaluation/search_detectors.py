"""Face detectors that evaluation compares, behind one interface: the daemon's Haar cascade,
networks of `training detector`, YuNet, and BlazeFace.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from edge.common.arrays import Pixels
from edge.common.errors import UsageError, UserError
from edge.config.settings import DetectorSettings
from edge.detection.boxes import Corners, Floats, corners_of, non_maximum_suppression
from edge.detection.face_network import FaceNetwork
from edge.detection.haar_detector import HaarDetector
from edge.detection.point_grid import Detections, Grid, InputSize, decode_detections
from edge.inference.interpreter import load_interpreter
from training.face_detector.views.box_maps import Affine
from training.face_detector.views.composition import letterbox

HAAR = "haar"
#: Detections with a lower score are left out, so they do not even count as false boxes.
MIN_SCORE = 0.02
#: Sides of YuNet's square input, in order of preference; there are model files for both.
YUNET_SIDES = (320, 640)
#: Number of outputs ──► side of the input, and (stride, boxes at a point) of each level.
BLAZE_FACE = {896: (256, ((16, 2), (32, 6))), 2304: (192, ((4, 1),))}
BLAZE_MAX_IOU = 0.3


class SearchDetector(Protocol):
    """A detector that evaluation can measure."""

    @property
    def name(self) -> str:
        """The name in tables and plots."""

    def find(self, image_bgr: Pixels) -> Detections:
        """Return all faces, even unlikely ones, in pixels of a (height, width, 3) BGR picture."""


def load_detector(name: str, runtime: str | None = None) -> SearchDetector:
    """Return the detector that `name` means: `haar`, or a .keras, .tflite or .onnx file.

    Raises UserError if the file cannot be used.
    """
    if name == HAAR:
        return HaarSearch()
    path = Path(name)
    loaders: dict[str, Callable[[Path], SearchDetector]] = {
        ".keras": KerasSearch,
        ".tflite": lambda file: _load_tflite(file, runtime),
        ".onnx": YuNetSearch,
    }
    if path.suffix not in loaders:
        raise UsageError(
            f"{name} is no detector: expected {HAAR}, a .keras or .tflite file of ours, BlazeFace's"
            " .tflite, or YuNet's .onnx"
        )
    if not path.is_file():
        raise UserError(f"cannot read the detector {path}: the file does not exist")
    return loaders[path.suffix](path)


class HaarSearch:
    """The cascade as the daemon runs it, but with at least one neighbour for each box instead of
    the daemon's minimum. The score of a box is the number of its neighbours, so the curves include
    lower minimums as well.
    """

    name = HAAR

    def __init__(self) -> None:
        """Load the daemon's default cascade."""
        settings = DetectorSettings()
        self._detector = HaarDetector(DetectorSettings(min_neighbors=1, width_px=settings.width_px))

    def find(self, image_bgr: Pixels) -> Detections:
        """Return the faces, each with the number of its neighbours as score."""
        faces = self._detector.find(image_bgr)
        scores = np.array([face.support for face in faces], np.float32)
        return Detections(corners_of([face.box_px for face in faces]), scores)


class KerasSearch:
    """A network of `training detector` as a Keras model."""

    def __init__(self, path: Path) -> None:
        """Load the model; raises UserError if `training detector` did not make it."""
        from training.common.quiet_keras import load_model_file

        self.name = path.name
        model = load_model_file(path)
        import tensorflow as tf  # after `load_model_file`, which silences this import

        shape = model.input_shape
        if not isinstance(model.output, dict) or set(model.output) != {"logits", "codes"}:
            raise UserError(f"{path} was not made by `python -m training detector`")
        self._size = InputSize(width=shape[2], height=shape[1], channels=shape[3])
        self._grid = Grid.of(self._size)
        self._model = tf.function(lambda pixels: model(pixels, training=False))

    def find(self, image_bgr: Pixels) -> Detections:
        """Return the faces in the letterboxed picture, with probabilities as scores."""
        pixels, matrix = _network_input(image_bgr, self._size)
        output = self._model(pixels.astype(np.float32))
        logits, codes = (np.asarray(output[name], np.float32)[0] for name in ("logits", "codes"))
        return _in_picture(decode_detections(self._grid, logits, codes, MIN_SCORE), matrix)


class NetworkSearch:
    """A network of `training detector` in TFLite, with its card, as the daemon runs it."""

    def __init__(self, path: Path, runtime: str | None) -> None:
        """Load the model; raises UserError as `FaceNetwork` does."""
        self._network = FaceNetwork(path, runtime)
        self.name = f"{path.name} ({self._network.runtime})"

    def find(self, image_bgr: Pixels) -> Detections:
        """Return the faces in the letterboxed picture, with probabilities as scores."""
        pixels, matrix = _network_input(image_bgr, self._network.size)
        return _in_picture(self._network.find(pixels[0, ..., 0], MIN_SCORE), matrix)


class BlazeFaceSearch:
    """BlazeFace of MediaPipe: a square RGB input, and boxes relative to the points of a grid."""

    def __init__(self, path: Path, interpreter: Any) -> None:
        """Use `interpreter`, which has loaded the model in `path`."""
        self.name = path.name
        self._interpreter = interpreter
        (details,) = interpreter.get_input_details()
        self._side = int(details["shape"][1])
        outputs = {int(each["shape"][1]) for each in interpreter.get_output_details()}
        levels = BLAZE_FACE[outputs.pop()][1]
        self._points = np.concatenate([_blaze_points(self._side, *level) for level in levels])

    def find(self, image_bgr: Pixels) -> Detections:
        """Return the faces in the letterboxed picture, with probabilities as scores."""
        pixels, matrix = _network_input(image_bgr, InputSize(self._side, self._side, 3))
        outputs = _run(self._interpreter, pixels.astype(np.float32) / 127.5 - 1)
        boxes = next(each for each in outputs if each.shape[-1] > 1)[0]
        logits = next(each for each in outputs if each.shape[-1] == 1).ravel()
        scores = np.asarray(1 / (1 + np.exp(-np.clip(logits, -50, 50))), np.float32)
        likely = scores >= MIN_SCORE
        centres = self._points[likely] + boxes[likely, :2]
        half = boxes[likely, 2:4] / 2
        corners = np.concatenate([centres - half, centres + half], axis=1).astype(np.float32)
        kept = non_maximum_suppression(corners, scores[likely], BLAZE_MAX_IOU)
        return _in_picture(Detections(corners[kept], scores[likely][kept]), matrix)


class YuNetSearch:
    """YuNet, run by OpenCV on a square with the scaled picture in its upper left corner."""

    def __init__(self, path: Path) -> None:
        """Load the model; raises UserError if OpenCV cannot run it."""
        self.name = path.name
        for side in YUNET_SIDES:
            try:
                detector = cv2.FaceDetectorYN.create(str(path), "", (side, side), MIN_SCORE, 0.3)
                detector.detect(np.zeros((side, side, 3), np.uint8))
            except cv2.error:
                continue
            self._detector, self._side = detector, side
            return
        raise UserError(f"{path} is not a YuNet model that OpenCV can run")

    def find(self, image_bgr: Pixels) -> Detections:
        """Return the faces, with probabilities as scores."""
        height, width = image_bgr.shape[:2]
        scale = self._side / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        canvas = np.zeros((self._side, self._side, 3), np.uint8)
        canvas[: size[1], : size[0]] = cv2.resize(image_bgr, size, interpolation=method)
        _, rows = self._detector.detect(canvas)
        found = np.zeros((0, 15), np.float32) if rows is None else np.asarray(rows, np.float32)
        found = found[np.argsort(-found[:, 14], kind="stable")]
        return Detections(corners_of(found[:, :4] / scale), found[:, 14])  # type: ignore[arg-type]


def _load_tflite(path: Path, runtime: str | None) -> SearchDetector:
    try:
        interpreter, used = load_interpreter(path.read_bytes(), runtime=runtime)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    outputs = [tuple(int(v) for v in each["shape"]) for each in interpreter.get_output_details()]
    if len(outputs) != 2 or outputs[0][1] not in BLAZE_FACE or {len(o) for o in outputs} != {3}:
        return NetworkSearch(path, runtime)
    found = BlazeFaceSearch(path, interpreter)
    found.name = f"{path.name} ({used})"
    return found


def _network_input(image_bgr: Pixels, size: InputSize) -> tuple[Pixels, Affine]:
    """Return the letterboxed picture with a batch axis, and the map from the picture to it."""
    conversion = cv2.COLOR_BGR2GRAY if size.channels == 1 else cv2.COLOR_BGR2RGB
    pixels, matrix = letterbox(np.asarray(cv2.cvtColor(image_bgr, conversion), np.uint8), size)
    return pixels.reshape(1, *size.shape), matrix


def _in_picture(found: Detections, matrix: Affine) -> Detections:
    """Return detections in the pixels of the picture that `matrix` letterboxed."""
    scale, shift = matrix[0, 0], np.tile(matrix[:, 2], 2)
    corners: Corners = np.asarray((found.corners - shift) / scale, np.float32)
    return dataclasses.replace(found, corners=corners)


def _run(interpreter: Any, values: Floats) -> list[Floats]:
    """Return the outputs of an `interpreter` whose tensors are floats."""
    (details,) = interpreter.get_input_details()
    interpreter.set_tensor(details["index"], values)
    interpreter.invoke()
    return [interpreter.get_tensor(each["index"]) for each in interpreter.get_output_details()]


def _blaze_points(side: int, stride: int, boxes: int) -> Floats:
    count = side // stride
    x, y = np.meshgrid(np.arange(count), np.arange(count))
    points = (np.stack([x.ravel(), y.ravel()], axis=1) + 0.5) * stride
    return np.asarray(np.repeat(points, boxes, axis=0), np.float32)
