"""The requests of the Camera page; the page itself is tested with a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp

from edge.config.settings import change, load_settings
from edge.daemon.camera_file import MAX_CORNERS, MAX_EXCLUDED
from edge.dashboard.local_camera import LocalCamera
from edge.dashboard.pages.app import make_app
from edge.dashboard.pages.camera_pages import MAX_BYTES
from edge.dashboard.pages.page_context import PageContext
from tests.support.dashboard.http_client import Response, call_app
from tests.support.dashboard.preview_daemons import PreviewDaemon

ZONE = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]


@pytest.fixture
def daemon(app: ASGIApp, tmp_path: Path) -> Iterator[PreviewDaemon]:
    with PreviewDaemon(tmp_path / "door.toml") as daemon:
        yield daemon


def save(app: ASGIApp, body: Any) -> Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return call_app(app, "POST", "/camera/drawing", raw)


def test_view_without_a_daemon_is_an_error(app: ASGIApp) -> None:
    response = call_app(app, "GET", "/camera/view")
    assert response.status == 503
    assert "the daemon does not answer" in response.json()["error"]


def test_without_a_daemon_nothing_is_shown_or_saved(app: ASGIApp, tmp_path: Path) -> None:
    for response in (call_app(app, "GET", "/camera/drawing"), save(app, {"zone": ZONE})):
        assert response.status == 422
        assert "the daemon does not answer" in response.json()["error"]
    assert call_app(app, "GET", "/camera/use").json()["state"] == "away"
    assert not (tmp_path / "camera.toml").exists()


def test_page_of_several_cameras_has_one_for_each(context: PageContext, tmp_path: Path) -> None:
    first = load_settings(tmp_path / "door.toml")
    second = change(first, device="door2", title="Tür 2", camera={"preview_socket": "/none"})
    context.local_cameras = {s.device: LocalCamera(s) for s in (first, second)}
    app = make_app(context, password_on_loopback=False)
    page = call_app(app, "GET", "/camera", query="camera=door2").text
    assert f'<a href="?camera={first.device}">{first.device}</a>' in page
    assert '<a href="?camera=door2" aria-current="true">' in page
    assert "Tür 2" in page
    assert (
        "at /none (" in call_app(app, "GET", "/camera/view", query="camera=door2").json()["error"]
    )
    assert str(tmp_path) in call_app(app, "GET", "/camera/view").json()["error"]
    assert call_app(app, "GET", "/camera", query="camera=door3").status == 404


@pytest.mark.usefixtures("daemon")
def test_drawing_returns_the_saved_settings(app: ASGIApp, tmp_path: Path) -> None:
    min_face = load_settings(tmp_path / "door.toml").detector.min_face
    saved = call_app(app, "GET", "/camera/drawing").json()
    assert (saved["zone"], saved["min_face"]) == ([], min_face)
    assert saved["use"]["state"] == "used"
    assert call_app(app, "GET", "/camera/use").json() == saved["use"]


def test_drawing_is_saved(app: ASGIApp, tmp_path: Path, daemon: PreviewDaemon) -> None:
    poster, before = [0.4, 0.4, 0.2, 0.1], (tmp_path / "door.toml").read_text()
    response = save(app, {"zone": ZONE, "excluded": [poster], "min_face": 0.2})
    assert response.status == 200
    assert (response.json()["zone"], response.json()["excluded"]) == (ZONE, [poster])
    assert response.json()["use"]["state"] == "waiting"
    settings = daemon.camera_file.load()
    assert [list(corner) for corner in settings.camera.zone] == ZONE
    assert settings.detector.min_face == 0.2
    assert [list(each) for each in settings.camera.excluded] == [poster]
    save(app, {"zone": []})
    settings = daemon.camera_file.load()
    assert (settings.detector.min_face, len(settings.camera.excluded)) == (0.2, 1)
    save(app, {"zone": [], "excluded": []})
    assert daemon.camera_file.load().camera.excluded == ()
    assert (tmp_path / "door.toml").read_text() == before


def test_settings_file_with_many_areas_can_be_saved(
    app: ASGIApp, tmp_path: Path, daemon: PreviewDaemon
) -> None:
    """A settings file may have any number of excluded areas and corners."""
    areas = [[0.0001 * number, 0.1, 0.001, 0.1] for number in range(MAX_EXCLUDED + 100)]
    corners = [[0.001 * number, 0.01] for number in range(MAX_CORNERS + 10)] + [[0.9, 0.9]]
    with (tmp_path / "door.toml").open("a") as file:
        file.write(f"excluded = {areas}\nzone = {corners}\n")
    body = call_app(app, "GET", "/camera/drawing").json()
    response = save(app, {"zone": body["zone"], "excluded": body["excluded"], "min_face": 0.2})
    assert response.status == 200
    settings = daemon.camera_file.load()
    assert (len(settings.camera.excluded), settings.detector.min_face) == (len(areas), 0.2)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "a corner"),
        (b"\xff", "a corner"),
        ({"zone": [[0.1, 1.1]] * 3}, "a corner"),
        ({"zone": ZONE, "min_face": 0.0}, "smallest"),
        ({"zone": ZONE, "more": 1}, "a corner"),
        ({"zone": [[0.1, 0.1]] * (MAX_CORNERS + 1)}, f"at most {MAX_CORNERS}"),
        ({"zone": ZONE[:2]}, "zone"),
        ({"zone": [], "excluded": [[0.1, 0.1, 0.1]]}, "excluded area"),
        ({"zone": [], "excluded": [[0.1, 0.1, 0.1, 1.1]]}, "excluded area"),
        ({"zone": [], "excluded": [[0.1] * 4] * (MAX_EXCLUDED + 1)}, f"at most {MAX_EXCLUDED}"),
        (b" " * (MAX_BYTES + 1), "the drawing is too large"),
    ],
)
@pytest.mark.usefixtures("daemon")
def test_invalid_drawings_are_refused(
    app: ASGIApp, tmp_path: Path, body: Any, message: str
) -> None:
    response = save(app, body)
    assert response.status == 422
    assert message in response.json()["error"]
    assert not (tmp_path / "camera.toml").exists()


@pytest.mark.usefixtures("daemon")
def test_invalid_file_is_reported(app: ASGIApp, tmp_path: Path) -> None:
    (tmp_path / "door.toml").write_text("zone = [")
    for path in ("/camera/drawing", "/camera/use"):
        response = call_app(app, "GET", path)
        assert response.status == 422
        assert "door.toml" in response.json()["error"]
