"""Detectors behind one interface: the cascade, TFLite networks, and files that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.common.errors import UsageError, UserError
from tests.support.footage.pictures import frames_without_mask
from training.face_detector.boxes import corners_of, iou_matrix
from training.face_detector.grid import Grid, InputSize
from training.face_detector.search_detectors import (
    BlazeFaceSearch,
    TfliteSearch,
    load_detector,
)


def test_haar_scores_are_numbers_of_neighbours() -> None:
    found = load_detector("haar").find(frames_without_mask()[0])
    assert len(found.scores) >= 1
    assert (np.diff(found.scores) <= 0).all()
    assert (found.scores >= 1).all()
    assert found.corners.shape == (len(found.scores), 4)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("face.h5", UsageError, "is no detector: expected haar"),
        ("nowhere.onnx", UserError, "the file does not exist"),
        ("broken.onnx", UserError, "is not a YuNet model"),
        ("broken.tflite", UserError, r"broken\.tflite: no TFLite runtime could load"),
    ],
)
def test_unusable_file_is_named(
    tmp_path: Path, name: str, error: type[UserError], message: str
) -> None:
    if name.startswith("broken"):
        (tmp_path / name).write_bytes(b"broken")
    with pytest.raises(error, match=message):
        load_detector(str(tmp_path / name))


class _Interpreter:
    """An interpreter that returns fixed float outputs; a nonzero scale makes its input int8."""

    def __init__(
        self, shape: tuple[int, ...], outputs: list[Any], quantization: tuple[float, int] = (0.0, 0)
    ) -> None:
        self._shape, self._outputs, self._quantization = shape, outputs, quantization
        self.given: Any = None

    def get_input_details(self) -> list[dict[str, Any]]:
        dtype = np.int8 if self._quantization[0] else np.float32
        shape = np.array(self._shape)
        return [{"index": 0, "shape": shape, "dtype": dtype, "quantization": self._quantization}]

    def get_output_details(self) -> list[dict[str, Any]]:
        return [
            {"index": index, "shape": np.array(output.shape), "quantization": (0.0, 0)}
            for index, output in enumerate(self._outputs)
        ]

    def set_tensor(self, _index: int, values: Any) -> None:
        self.given = values

    def invoke(self) -> None:
        assert self.given is not None

    def get_tensor(self, index: int) -> Any:
        return self._outputs[index]


def _network_outputs(face: Any) -> list[Any]:
    """Return the codes and the logits with which the network reports `face` (1, 4)."""
    grid = Grid.of(InputSize(320, 240))
    inside = ((grid.points > face[0, :2]) & (grid.points < face[0, 2:])).all(axis=1)
    codes = grid.encode(np.repeat(face, len(grid.points), axis=0))
    logits = np.where(inside, 2.0, -9.0).astype(np.float32)
    return [codes[None], logits[None]]


def test_boxes_are_mapped_back_to_the_picture() -> None:
    # A picture of 480x480 pixels is scaled to 240x240 and put 40 px from the left of the input.
    interpreter = _Interpreter((1, 240, 320, 1), _network_outputs(corners_of([(100, 60, 60, 80)])))
    found = TfliteSearch(Path("face.tflite"), interpreter).find(np.zeros((480, 480, 3), np.uint8))
    assert iou_matrix(found.corners, corners_of([(120, 120, 120, 160)]))[0, 0] > 0.98
    assert found.scores[0] == pytest.approx(1 / (1 + np.exp(-2)))


def test_quantised_input_holds_the_pixels() -> None:
    outputs = _network_outputs(corners_of([(100, 60, 60, 80)]))
    interpreter = _Interpreter((1, 240, 320, 1), outputs, (1.0, -128))
    TfliteSearch(Path("face.tflite"), interpreter).find(np.full((240, 320, 3), 200, np.uint8))
    assert interpreter.given.dtype == np.int8
    np.testing.assert_array_equal(interpreter.given, 200 - 128)


def test_blaze_face_boxes_are_relative_to_points() -> None:
    boxes, logits = np.zeros((1, 896, 16), np.float32), np.full((1, 896, 1), -9, np.float32)
    boxes[0, 35, :4] = (4, -2, 40, 60)  # the second box of point 17, at x = y = 1.5 strides
    logits[0, 35] = 3
    interpreter = _Interpreter((1, 256, 256, 3), [boxes, logits])
    found = BlazeFaceSearch(Path("b.tflite"), interpreter).find(np.zeros((256, 256, 3), np.uint8))
    centre_x, centre_y = 17 % 16 * 16 + 8 + 4, 17 // 16 * 16 + 8 - 2
    expected = corners_of([(centre_x - 20, centre_y - 30, 40, 60)])
    np.testing.assert_allclose(found.corners, expected, atol=1e-3)
