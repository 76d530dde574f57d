"""The Camera page: a real daemon shows its picture and uses the settings that are drawn on it."""

from __future__ import annotations

import signal
import stat
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from edge.config.settings import CameraSettings, Settings, load_settings
from edge.daemon.camera_file import CameraFile
from edge.dashboard.local_camera import LocalCamera
from tests.support.dashboard.camera_daemon import start_daemon, write_standing_clip
from tests.support.dashboard.dashboards import Dashboard
from tests.support.mqtt.brokers import Mosquitto
from tests.support.waiting import wait_until


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path, because the path of a UNIX socket must be short."""
    with tempfile.TemporaryDirectory(prefix="mp-") as short:
        yield Path(short)


#: Counts the pictures, and records the texts that a screen reader would read aloud.
RECORD_TEXTS = """
window.texts = [];
window.pictures = 0;
new MutationObserver(() => window.texts.push(seen.textContent))
  .observe(seen, { childList: true, characterData: true, subtree: true });
new MutationObserver(() => { window.pictures += 1; })
  .observe(picture, { attributes: true, attributeFilter: ["src"] });
"""
COMMENT = "# the main entrance\n"


def write_config(folder: Path, port: int, preview: str = "true") -> Path:
    path = folder / "door.toml"
    path.write_text(
        f'{COMMENT}device = "door1"\n[camera]\nsource = "{folder}/standing.mp4"  # a clip\n'
        f'preview = {preview}\npreview_socket = "{folder}/eye"\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\n[dashboard]\npassword_on_loopback = false\n'
    )
    path.chmod(0o640)
    return path


def settings_of(folder: Path) -> Settings:
    """Return what the daemon reads: the settings, and what the page has saved."""
    return CameraFile(folder / "state" / "camera.toml", folder / "door.toml").load()


def camera_of(folder: Path) -> CameraSettings:
    return settings_of(folder).camera


def start_dashboard(folder: Path, mosquitto: Mosquitto) -> tuple[Path, Dashboard]:
    """Return the device's configuration file, and a dashboard that uses the same file."""
    config = write_config(folder, mosquitto.port)
    dashboard = Dashboard(folder, mosquitto.port)
    dashboard.config = config
    return config, dashboard.start()


def test_drawn_zone_is_saved_and_used(browser: Any, folder: Path, mosquitto: Mosquitto) -> None:
    config, dashboard = start_dashboard(folder, mosquitto)
    write_standing_clip(folder)
    before = config.read_text()
    daemon = start_daemon(folder, config)
    wait_until((folder / "eye").is_socket, "the daemon's socket")
    assert stat.S_IMODE((folder / "eye").stat().st_mode) == 0o660
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto(dashboard.address)
    page.get_by_role("link", name="Camera").click()
    page.wait_for_selector("#seen:text('1 person in view')")
    page.wait_for_function("() => picture.naturalWidth === 640")
    page.wait_for_selector("#stages th:text('detect')")
    # The page replaces the text for screen readers only by a different text.
    page.evaluate(RECORD_TEXTS)
    page.wait_for_function("() => window.pictures >= 6")
    texts = page.evaluate("window.texts")
    assert all(one != following for one, following in pairwise(["1 person in view", *texts])), texts
    box = page.locator("#drawing").bounding_box()
    for x, y in ((0.1, 0.1), (0.3, 0.1), (0.3, 0.9), (0.1, 0.9)):
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.fill("#min-face", "0.1")
    page.click("#save")
    page.wait_for_selector("#saved:has-text('The device uses the new settings now')")
    settings = settings_of(folder)
    assert len(settings.camera.zone) == 4
    assert settings.camera.zone[2] == pytest.approx((0.3, 0.9), abs=0.01)
    assert settings.detector.min_face == 0.1
    assert config.read_text() == before
    # The settings file stays as it is. The daemon has read what was saved: it ignores the person in
    # the middle, who is outside of the zone.
    page.wait_for_selector("#seen:text('Nobody in view')")
    page.fill("#corners", "0.1, 0.1\n0.9, 0.1\n0.9; 1.9\n\nleft\n0.9, 0.9")
    page.wait_for_selector("#corners-error:has-text('Lines 3, 5: not a corner')")
    page.click("#save")
    page.wait_for_selector("#saved:text('Not saved: a line does not contain a corner.')")
    assert camera_of(folder).zone == settings.camera.zone
    page.fill("#corners", "0.1, 0.1\n0.9, 0.9")
    page.click("#save")
    page.wait_for_selector("#saved:has-text('Not saved: ')")
    assert camera_of(folder).zone == settings.camera.zone
    daemon.terminate()
    daemon.wait(20)
    page.wait_for_selector("#camera-error:has-text('is it running on this device')")
    page.wait_for_selector("#seen:text('This is the last picture received.')")
    assert not (folder / "eye").exists()
    page.context.close()
    assert dashboard.stop() == 0


def test_page_reports_whether_the_device_uses_the_file(
    browser: Any, folder: Path, mosquitto: Mosquitto
) -> None:
    config, dashboard = start_dashboard(folder, mosquitto)
    write_standing_clip(folder)
    daemon = start_daemon(folder, config)
    camera = LocalCamera(load_settings(config))
    wait_until(lambda: camera.config_status().state == "used", "the daemon")
    page = browser.new_page()
    page.goto(f"{dashboard.address}/camera")
    page.wait_for_selector("#seen:text('1 person in view')")

    def reload_by_signal(state: str, why: str = "") -> None:
        daemon.send_signal(signal.SIGHUP)
        wait_until(lambda: (u := camera.config_status()).state == state and why in u.why, state)

    # The file names a model that does not exist. Only a reload checks this.
    good = config.read_text()
    config.write_text(good + '[classifier]\nmodel = "/nowhere.tflite"\n')
    page.fill("#corners", "0.1, 0.1\n0.3, 0.1\n0.3, 0.9")
    page.click("#save")
    page.wait_for_selector("#saved:has-text('but the device refused the new settings')")
    page.wait_for_selector("#saved.error:has-text('/nowhere.tflite')")
    assert len(camera_of(folder).zone) == 3
    assert (
        page.text_content("#seen") == "1 person in view"
    )  # although the person is outside of the saved zone
    page.reload()
    page.wait_for_selector("#saved:has-text('The device refused the settings in its files')")
    # Edit the file by hand three times: the daemon refuses the first settings after SIGHUP, uses
    # the second settings after SIGHUP, and gets no SIGHUP after the third edit.
    config.write_text(good + "[detector]\nmin_face = 0.3\n[events]\nalert_on = ['nothing']\n")
    reload_by_signal("refused", "nothing")
    config.write_text(good + "[detector]\nmin_face = 0.3\n")
    assert camera.config_status().state == "refused"  # the daemon has not received SIGHUP yet
    reload_by_signal("used")
    config.write_text(good)
    assert camera.config_status().state == "other"
    page.reload()
    page.wait_for_selector("#saved:has-text('other settings than its files contain')")
    page.click("#save")
    page.wait_for_selector("#saved:has-text('The device uses the new settings now')")
    page.fill("#corners", "0.1, 0.1\n0.3, 0.1\n0.3, 0.8")
    page.click("#save")
    page.wait_for_selector("#saved:has-text('The device uses the new settings now')")
    daemon.terminate()
    daemon.wait(20)
    page.fill("#corners", "0.1, 0.1\n0.3, 0.1\n0.3, 0.7")
    page.click("#save")
    page.wait_for_selector("#saved.error:has-text('Not saved: the daemon does not answer')")
    assert camera_of(folder).zone[2] == (0.3, 0.8)
    daemon = start_daemon(folder, config)
    wait_until(lambda: camera.config_status().state == "used", "the new settings")
    daemon.terminate()
    daemon.wait(20)
    page.close()
    assert dashboard.stop() == 0


def test_picture_is_turned_with_what_is_drawn_on_it(
    browser: Any, folder: Path, mosquitto: Mosquitto
) -> None:
    _, dashboard = start_dashboard(folder, mosquitto)
    write_standing_clip(folder)
    daemon = start_daemon(folder, folder / "door.toml")
    wait_until((folder / "eye").is_socket, "the daemon's socket")
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto(f"{dashboard.address}/camera")
    page.wait_for_function("() => picture.naturalWidth === 640")
    page.wait_for_selector("#turn:enabled")
    page.fill("#corners", "0.1, 0.2\n0.9, 0.2\n0.9, 0.7")
    page.click("#turn")
    page.wait_for_selector("#saved:has-text('The device uses the new settings now')")
    page.wait_for_function("() => picture.naturalWidth === 480")
    camera = camera_of(folder)
    assert (camera.rotate, camera.mirror) == (90, False)
    assert camera.zone == ((0.8, 0.1), (0.8, 0.9), (0.3, 0.9))
    page.click("#mirror")
    page.wait_for_selector("#corners:enabled")
    wait_until(lambda: camera_of(folder).mirror, "the picture is mirrored")
    assert camera_of(folder).zone == ((0.2, 0.1), (0.2, 0.9), (0.7, 0.9))
    # Clockwise in the mirrored picture is the other way round before the mirror.
    page.wait_for_selector("#saved:has-text('The device uses the new settings now')")
    page.click("#turn")
    wait_until(lambda: camera_of(folder).rotate == 0, "the picture is turned back")
    page.wait_for_function("() => picture.naturalWidth === 640")
    assert camera_of(folder).zone == ((0.9, 0.2), (0.1, 0.2), (0.1, 0.7))
    # Nothing is turned while a line is invalid, because it would be lost.
    page.wait_for_selector("#saved:has-text('The device uses the new settings now')")
    page.fill("#corners", "0.1, 0.2\nleft")
    page.click("#turn")
    page.wait_for_selector("#saved:has-text('Not turned')")
    assert camera_of(folder).rotate == 0
    page.context.close()
    daemon.terminate()
    daemon.wait(20)
    assert dashboard.stop() == 0


def test_place_is_excluded_in_two_clicks(browser: Any, folder: Path, mosquitto: Mosquitto) -> None:
    config, dashboard = start_dashboard(folder, mosquitto)
    write_standing_clip(folder)
    daemon = start_daemon(folder, config)
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(f"{dashboard.address}/camera")
    page.wait_for_selector("#seen:text('1 person in view')")
    page.wait_for_selector("#people li:has-text('no mask')")
    page.click("#people button:text('Exclude this place')")
    page.wait_for_selector("#excluded li:has-text('Area 1')")
    page.click("#save")
    page.wait_for_selector("#saved:has-text('The device uses the new settings now')")
    ((x, y, width, height),) = camera_of(folder).excluded
    # The face of the clip stands in the middle of the picture.
    assert x < 0.5 < x + width
    assert y < 0.5 < y + height
    page.wait_for_selector("#seen:text('Nobody in view')")
    page.wait_for_selector("#people li", state="detached")
    page.click("#excluded button:text('Remove')")
    page.click("#save")
    page.wait_for_selector("#saved:has-text('The device uses the new settings now')")
    assert camera_of(folder).excluded == ()
    page.wait_for_selector("#seen:text('1 person in view')")
    page.close()
    daemon.terminate()
    daemon.wait(20)
    dashboard.stop()


def test_invalid_settings_file_is_reported(
    browser: Any, folder: Path, mosquitto: Mosquitto
) -> None:
    config, dashboard = start_dashboard(folder, mosquitto)
    write_standing_clip(folder)
    page = browser.new_page()
    page.goto(f"{dashboard.address}/camera")
    page.wait_for_selector("#saved.error:has-text('The daemon does not answer')")
    assert page.is_disabled("#save")
    daemon = start_daemon(folder, config)
    page.wait_for_selector("#save:enabled")
    good = config.read_text()
    config.write_text("zone = [")
    page.reload()
    page.wait_for_selector("#saved.error:has-text('door.toml')")
    assert page.is_disabled("#save")
    config.write_text(good)
    page.wait_for_selector("#save:enabled")
    assert page.text_content("#saved") == ""
    page.close()
    daemon.terminate()
    daemon.wait(20)
    dashboard.stop()


def test_unanswered_save_is_verified(browser: Any, folder: Path, mosquitto: Mosquitto) -> None:
    config, dashboard = start_dashboard(folder, mosquitto)
    write_standing_clip(folder)
    daemon = start_daemon(folder, config)
    wait_until((folder / "eye").is_socket, "the daemon's socket")
    page = browser.new_page()
    address = "**/camera/drawing"
    unreadable = {"status": 502, "content_type": "text/html", "body": "<h1>Bad gateway</h1>"}
    page.route("**/camera/view", lambda route: route.fulfill(**unreadable))
    page.route(address, lambda route: route.fulfill(**unreadable))
    page.goto(f"{dashboard.address}/camera")
    page.wait_for_selector(
        "#saved.error:text('The dashboard cannot answer at the moment (error 502).')"
    )
    page.wait_for_selector(
        "#camera-error:has-text('cannot answer at the moment (error 502). Retrying')"
    )
    page.unroute(address)
    page.wait_for_selector("#save:enabled")

    def save(corners: str, answer: Any) -> None:
        page.route(address, answer, times=1)
        page.fill("#corners", corners)
        page.click("#save")

    def save_and_disconnect(route: Any) -> None:
        route.fetch()
        route.abort()

    save("0.1, 0.1\n0.9, 0.1\n0.9, 0.9", save_and_disconnect)
    page.wait_for_selector("#saved:has-text('The device uses the new settings now')")
    assert len(camera_of(folder).zone) == 3
    for answer in (lambda route: route.abort(), lambda route: route.fulfill(**unreadable)):
        save("0.1, 0.1\n0.5, 0.1\n0.9, 0.9", answer)
        page.wait_for_selector("#saved.error:has-text('Not saved: the dashboard')")
        assert camera_of(folder).zone[1] == (0.9, 0.1)
    page.fill("#corners", "\n".join(f"0.{number}, 0.1" for number in range(100, 151)))
    page.click("#save")
    page.wait_for_selector("#saved.error:has-text('Not saved: there are 51 corners of the zone')")
    # Somebody else saves before the device has read what this page has saved.
    drawing = {"zone": [], "excluded": [], "min_face": 0.1}
    page.route(
        "**/camera/drawing",
        lambda route: route.fulfill(json={**drawing, "use": {"state": "waiting"}}),
    )
    used = {"state": "used", "why": "", "drawing": {**drawing, "zone": [[0.1, 0.1]]}}
    page.route("**/camera/use", lambda route: route.fulfill(json=used))
    page.fill("#corners", "")
    page.click("#save")
    page.wait_for_selector("#saved.error:has-text('Somebody else has saved since')")
    page.close()
    daemon.terminate()
    daemon.wait(20)
    dashboard.stop()


def test_camera_page_is_off_by_default(browser: Any, folder: Path, mosquitto: Mosquitto) -> None:
    config = write_config(folder, mosquitto.port, "false")
    dashboard = Dashboard(folder, mosquitto.port)
    dashboard.config = config
    dashboard.start()
    page = browser.new_page()
    page.goto(dashboard.address)
    assert page.get_by_role("link", name="Camera").count() == 0
    assert page.goto(f"{dashboard.address}/camera/view").status == 404
    page.close()
    dashboard.stop()
