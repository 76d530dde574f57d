"""The check of one picture, outside of the worker process."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.common.errors import UserError
from edge.config.settings import Settings
from edge.dashboard.picture_check.worker import PictureWorker
from tests.support.footage.pictures import frames_without_mask

FRAME = frames_without_mask()[0]
JPEG = cv2.imencode(".jpg", FRAME)[1].tobytes()


@pytest.fixture(scope="module")
def worker() -> PictureWorker:
    return PictureWorker(Settings())


def test_faces_are_found_and_classified(worker: PictureWorker) -> None:
    result = worker.check(JPEG, "door.jpg", with_picture=False)
    assert [face["label"] for face in result.record["faces"]] == ["no_mask"]
    assert (result.record["height"], result.record["width"]) == FRAME.shape[:2]
    assert result.record["min_face_px"] == round(0.025 * FRAME.shape[1])
    assert result.record["alert_threshold"] == pytest.approx(0.7382)
    assert result.annotated is None


def test_annotated_picture_has_the_same_size(worker: PictureWorker) -> None:
    annotated = worker.check(JPEG, "door.jpg", with_picture=True).annotated
    assert annotated is not None
    picture = cv2.imdecode(np.frombuffer(annotated, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == FRAME.shape


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (JPEG[: len(JPEG) // 2], "a.jpg is cut off"),
        (b"BM" + bytes(500), "a.jpg"),
    ],
)
def test_unreadable_picture_is_an_error(worker: PictureWorker, raw: bytes, error: str) -> None:
    with pytest.raises(UserError, match=error):
        worker.check(raw, "a.jpg", with_picture=True)
