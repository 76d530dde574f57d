"""The requests of the Camera page while no daemon runs; the rest is tested with a browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp

from edge.config.settings import load_settings
from edge.dashboard.pages.camera_pages import MAX_BYTES, MAX_CORNERS, MAX_EXCLUDED
from tests.support.dashboard.http_client import Response, call_app

ZONE = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]


def save(app: ASGIApp, body: Any) -> Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return call_app(app, "POST", "/camera/drawing", raw)


def test_view_without_a_daemon_is_an_error(app: ASGIApp) -> None:
    response = call_app(app, "GET", "/camera/view")
    assert response.status == 503
    assert "the daemon does not answer" in response.json()["error"]


def test_drawing_returns_the_saved_settings(app: ASGIApp, tmp_path: Path) -> None:
    min_face = load_settings(tmp_path / "door.toml").detector.min_face
    saved = call_app(app, "GET", "/camera/drawing").json()
    assert (saved["zone"], saved["min_face"], saved["can_save"]) == ([], min_face, True)
    assert saved["use"]["state"] == "away"
    assert call_app(app, "GET", "/camera/use").json() == saved["use"]


def test_drawing_is_saved_to_the_file(app: ASGIApp, tmp_path: Path) -> None:
    poster = [0.4, 0.4, 0.2, 0.1]
    response = save(app, {"zone": ZONE, "excluded": [poster], "min_face": 0.2})
    assert response.status == 200
    assert (response.json()["zone"], response.json()["excluded"]) == (ZONE, [poster])
    settings = load_settings(tmp_path / "door.toml")
    assert [list(corner) for corner in settings.camera.zone] == ZONE
    assert settings.detector.min_face == 0.2
    assert [list(each) for each in settings.camera.excluded] == [poster]
    save(app, {"zone": []})
    settings = load_settings(tmp_path / "door.toml")
    assert (settings.detector.min_face, len(settings.camera.excluded)) == (0.2, 1)
    save(app, {"zone": [], "excluded": []})
    assert load_settings(tmp_path / "door.toml").camera.excluded == ()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "corners"),
        (b"\xff", "corners"),
        ({"zone": [[0.1, 1.1]] * 3}, "corners"),
        ({"zone": ZONE, "min_face": 0.0}, "smallest"),
        ({"zone": ZONE, "more": 1}, "corners"),
        ({"zone": [[0.1, 0.1]] * (MAX_CORNERS + 1)}, f"at most {MAX_CORNERS} corners"),
        ({"zone": ZONE[:2]}, "zone"),
        ({"zone": [], "excluded": [[0.1, 0.1, 0.1]]}, "excluded areas"),
        ({"zone": [], "excluded": [[0.1, 0.1, 0.1, 1.1]]}, "excluded areas"),
        ({"zone": [], "excluded": [[0.1] * 4] * (MAX_EXCLUDED + 1)}, f"at most {MAX_EXCLUDED}"),
        (b" " * (MAX_BYTES + 1), "the drawing is too large"),
    ],
)
def test_invalid_drawings_are_refused(
    app: ASGIApp, tmp_path: Path, body: Any, message: str
) -> None:
    before = (tmp_path / "door.toml").read_text()
    response = save(app, body)
    assert response.status == 422
    assert message in response.json()["error"]
    assert (tmp_path / "door.toml").read_text() == before


def test_invalid_file_is_reported(app: ASGIApp, tmp_path: Path) -> None:
    (tmp_path / "door.toml").write_text("zone = [")
    for path in ("/camera/drawing", "/camera/use"):
        response = call_app(app, "GET", path)
        # If no daemon runs, the status is the same for a valid and for an invalid file.
        assert response.status == (422 if path == "/camera/drawing" else 200)
