"""The Snapshots page shows what a real preview server has in a real folder."""

from __future__ import annotations

import os
from pathlib import Path

from starlette.types import ASGIApp

from edge.config.settings import Settings, change, load_settings
from edge.dashboard.local_camera import LocalCamera
from edge.dashboard.pages.app import make_app
from edge.dashboard.pages.page_context import PageContext
from edge.dashboard.pages.snapshot_pages import PICTURES_PER_PAGE
from tests.support.dashboard.http_client import call_app
from tests.support.dashboard.preview_daemons import PreviewDaemon


def store(folder: Path, count: int) -> None:
    """Store `count` snapshots, one a second."""
    (folder / "snapshots").mkdir()
    for number in range(1, count + 1):
        path = folder / "snapshots" / f"door1-{number}.jpg"
        path.write_bytes(b"picture %d" % number)
        os.utime(path, (number, number))


def test_snapshots_are_shown_newest_first(app: ASGIApp, tmp_path: Path) -> None:
    store(tmp_path, PICTURES_PER_PAGE + 2)
    with PreviewDaemon(tmp_path / "door.toml"):
        pages = [
            call_app(app, "GET", "/camera/snapshots", query=query)
            for query in ("", "page=1", "page=99", "page=²")
        ]
        picture = call_app(app, "GET", "/camera/snapshots/door1-2.jpg")
        missing = call_app(app, "GET", "/camera/snapshots/door9-9.jpg")
    first, second, beyond, invalid = (page.text for page in pages)
    assert [page.status for page in pages] == [200] * 4
    newest, oldest = (
        f"/camera/snapshots/door1-{PICTURES_PER_PAGE + 2}.jpg",
        "/camera/snapshots/door1-1.jpg",
    )
    assert (newest in first, oldest in first, oldest in second) == (True, False, True)
    assert (beyond, invalid) == (second, first)
    assert f"{PICTURES_PER_PAGE + 2} snapshots" in first
    assert (picture.status, picture.body) == (200, b"picture 2")
    assert picture.headers["content-type"] == "image/jpeg"
    assert picture.headers["cache-control"] == "no-store"
    assert (missing.status, "has expired" in missing.text) == (404, True)


def test_without_snapshots_the_page_says_why(app: ASGIApp, tmp_path: Path) -> None:
    absent = call_app(app, "GET", "/camera/snapshots")
    assert (absent.status, "The daemon does not answer" in absent.text) == (503, True)
    with PreviewDaemon(tmp_path / "door.toml"):
        assert "No snapshot is stored yet" in call_app(app, "GET", "/camera/snapshots").text
    config = (tmp_path / "door.toml").read_text()
    (tmp_path / "door.toml").write_text(config.replace("enabled = true", "enabled = false"))
    with PreviewDaemon(tmp_path / "door.toml"):
        refused = call_app(app, "GET", "/camera/snapshots")
    assert (refused.status, "snapshot.enabled" in refused.text) == (503, True)


def test_page_needs_the_setting(context: PageContext, tmp_path: Path) -> None:
    camera = {"preview": True, "preview_socket": f"{tmp_path}/preview"}
    context.local_cameras = {"door": LocalCamera(change(Settings(), camera=camera))}
    app = make_app(context, password_on_loopback=False)
    assert 'href="/camera/snapshots"' in call_app(app, "GET", "/camera").text
    response = call_app(app, "GET", "/camera/snapshots")
    assert (response.status, "turned off" in response.text) == (404, True)


def test_page_shows_the_chosen_camera(context: PageContext, tmp_path: Path) -> None:
    """With several cameras, that of the address; without one, the first with snapshots."""
    first = load_settings(tmp_path / "door.toml")
    without = change(first, device="door0", snapshot={"enabled": False})
    second = change(first, device="door2", camera={"preview_socket": f"{tmp_path}/none"})
    context.local_cameras = {s.device: LocalCamera(s) for s in (without, first, second)}
    app = make_app(context, password_on_loopback=False)
    with PreviewDaemon(tmp_path / "door.toml"):
        page = call_app(app, "GET", "/camera/snapshots").text
        assert "No snapshot is stored yet" in page
        assert f'<a href="?camera={first.device}" aria-current="true">' in page
        assert f'href="/camera?camera={first.device}"' in page
        assert "door0" not in page
        other = call_app(app, "GET", "/camera/snapshots", query="camera=door2")
        assert (other.status, f"{tmp_path}/none" in other.text) == (503, True)
    off = call_app(app, "GET", "/camera/snapshots", query="camera=door0")
    assert (off.status, "turned off" in off.text) == (404, True)
    assert call_app(app, "GET", "/camera/snapshots/x.jpg", query="camera=door0").status == 404
