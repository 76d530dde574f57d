"""Detectors behind one interface: the cascade, TFLite networks, and files that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.common.errors import UsageError, UserError
from edge.common.paths import shipped_detector
from edge.config.settings import DetectorSettings
from edge.detection.boxes import corners_of, iou_matrix
from edge.detection.haar_detector import HaarDetector
from tests.support.footage.demo_frames import demo_frame_with_a_face
from tests.support.footage.pictures import frames_without_mask
from training.face_detector.evaluation.search_detectors import (
    BlazeFaceSearch,
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
    """An interpreter that returns fixed outputs."""

    def __init__(self, shape: tuple[int, ...], outputs: list[Any]) -> None:
        self._shape, self._outputs = shape, outputs
        self.given: Any = None

    def get_input_details(self) -> list[dict[str, Any]]:
        return [{"index": 0, "shape": np.array(self._shape)}]

    def get_output_details(self) -> list[dict[str, Any]]:
        return [{"index": i, "shape": np.array(o.shape)} for i, o in enumerate(self._outputs)]

    def set_tensor(self, _index: int, values: Any) -> None:
        self.given = values

    def invoke(self) -> None:
        assert self.given is not None

    def get_tensor(self, index: int) -> Any:
        return self._outputs[index]


def test_network_of_the_daemon_finds_faces_in_pictures_of_any_shape() -> None:
    frame = demo_frame_with_a_face()
    (expected,) = HaarDetector(DetectorSettings()).find(frame)
    square = np.full((640, 640, 3), 114, np.uint8)
    square[80:560] = frame
    for detector in (load_detector(str(shipped_detector(v))) for v in ("", "-float16")):
        assert detector.name.startswith("face")
        for picture, down in ((frame, 0), (square, 80)):
            found = detector.find(picture)
            x, y, w, h = expected.box_px
            assert iou_matrix(found.corners[:1], corners_of([(x, y + down, w, h)]))[0, 0] > 0.5
            assert found.scores[0] > 0.5


def test_blaze_face_boxes_are_relative_to_points() -> None:
    boxes, logits = np.zeros((1, 896, 16), np.float32), np.full((1, 896, 1), -9, np.float32)
    boxes[0, 35, :4] = (4, -2, 40, 60)  # the second box of point 17, at x = y = 1.5 strides
    logits[0, 35] = 3
    interpreter = _Interpreter((1, 256, 256, 3), [boxes, logits])
    found = BlazeFaceSearch(Path("b.tflite"), interpreter).find(np.zeros((256, 256, 3), np.uint8))
    centre_x, centre_y = 17 % 16 * 16 + 8 + 4, 17 // 16 * 16 + 8 - 2
    expected = corners_of([(centre_x - 20, centre_y - 30, 40, 60)])
    np.testing.assert_allclose(found.corners, expected, atol=1e-3)
