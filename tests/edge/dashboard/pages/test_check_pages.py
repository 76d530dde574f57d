"""Uploading pictures and webcam frames; a real worker checks them."""

from __future__ import annotations

import base64
from urllib.parse import quote

import cv2
import numpy as np
import pytest
from starlette.types import ASGIApp

from edge.dashboard.pages.check_pages import MAX_FRAME_BYTES, MAX_UPLOADS, _uploads
from edge.dashboard.pages.page_context import PageContext
from edge.dashboard.picture_check.worker_client import MAX_BYTES
from tests.support.dashboard.http_client import Response, call_app
from tests.support.footage.pictures import frames_without_mask

JPEG = cv2.imencode(".jpg", frames_without_mask()[0])[1].tobytes()


def upload(app: ASGIApp, raw: bytes, name: str = "", path: str = "/check/picture") -> Response:
    return call_app(app, "POST", path, raw, {"x-name": quote(name)})


def test_page_states_the_limits(app: ASGIApp) -> None:
    assert "up to 20 MB and 16 megapixels each" in call_app(app, "GET", "/check").text


def test_picture_is_returned_with_boxes(app: ASGIApp) -> None:
    body = upload(app, JPEG, "door.jpg").json()
    assert [face["label"] for face in body["faces"]] == ["no_mask"]
    annotated = np.frombuffer(base64.b64decode(body["annotated"]), np.uint8)
    shape = cv2.imdecode(annotated, cv2.IMREAD_COLOR).shape
    assert (body["width"], body["height"]) == (shape[1], shape[0])


def test_webcam_frame_returns_faces_only(app: ASGIApp) -> None:
    body = upload(app, JPEG, "the frame", "/check/frame").json()
    assert len(body["faces"]) == 1
    assert "annotated" not in body


@pytest.mark.parametrize(
    ("raw", "name", "error"),
    [
        (
            b"%PDF-1.7",
            "letter.jpg",
            "letter.jpg is a PDF; supported formats: JPEG, PNG, WebP, BMP.",
        ),
        (b"", "", "The picture is empty; supported formats: JPEG, PNG, WebP, BMP."),
        (
            cv2.imencode(".tif", frames_without_mask()[0])[1].tobytes(),
            "a.tif",
            "a.tif is a TIFF; supported formats: JPEG, PNG, WebP, BMP.",
        ),
        (b"text", "../a/b.txt", "b.txt is not a picture; supported formats: JPEG, PNG, WebP, BMP."),
        (JPEG[:200], "cut.jpg", "cut.jpg is cut off: its end is missing."),
    ],
)
def test_unusable_picture_is_explained(app: ASGIApp, raw: bytes, name: str, error: str) -> None:
    response = upload(app, raw, name)
    assert (response.status, response.json()) == (422, {"error": error})


@pytest.mark.parametrize(
    ("path", "max_bytes", "error"),
    [
        ("/check/picture", MAX_BYTES, "large.bmp is larger than 20 MB."),
        ("/check/frame", MAX_FRAME_BYTES, "large.bmp is larger than 1 MB."),
    ],
)
def test_size_of_uploads_is_limited(app: ASGIApp, path: str, max_bytes: int, error: str) -> None:
    response = upload(app, b"BM" + bytes(max_bytes), "large.bmp", path)
    assert (response.status, response.json()) == (413, {"error": error})


def test_number_of_uploads_is_limited(
    app: ASGIApp, context: PageContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_uploads, "_value", 0)
    response = upload(app, JPEG)
    assert response.status == 503
    assert response.json() == {"error": "Too many pictures at once: try again in a moment."}
    assert upload(app, JPEG, path="/check/frame").status == 200
    monkeypatch.setattr(_uploads, "_value", MAX_UPLOADS)
    assert upload(app, JPEG).status == 200
    assert context.picture_checker.process_id is not None
