"""The set-up, the log-in, the Check page, acknowledging and the Camera page with the keyboard."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

from tests.support.dashboard.dashboards import Dashboard, Device
from tests.support.dashboard.http_client import PASSWORD
from tests.support.dashboard.keyboard import Keyboard
from tests.support.dashboard.preview_daemons import PreviewDaemon
from tests.support.footage.pictures import frames_without_mask
from tests.support.mqtt.brokers import Mosquitto

ZONE = "0.1 0.1\n0.9 0.1\n0.5 0.9"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path, because the path of a UNIX socket must be short."""
    with tempfile.TemporaryDirectory(prefix="mp-") as short:
        yield Path(short)


def test_every_form_can_be_used_with_the_keyboard(
    page: Any, folder: Path, mosquitto: Mosquitto, device: Device
) -> None:
    camera = f'[camera]\npreview = true\npreview_socket = "{folder}/eye"\n'
    dashboard = Dashboard(folder, mosquitto.port, camera, needs_password=True).start()
    keys = Keyboard(page)
    with PreviewDaemon(dashboard.config) as daemon:
        page.goto(f"{dashboard.address}/check")
        set_up(page, keys, dashboard.code)
        check_a_picture(page, keys, folder)
        log_in_again(page, keys)
        device.start_alert(camera="garden")
        device.start_alert(camera="street")
        acknowledge(page, keys)
        edit_the_zone(page, keys, daemon)
    assert dashboard.stop() == 0


def set_up(page: Any, keys: Keyboard, code: str) -> None:
    """Type the code once, although the passwords differ at first."""
    page.wait_for_selector("#code:focus")
    for again, field in (("something else", "code"), (PASSWORD, "password")):
        if field == "code":
            keys.type(code)
            keys.go_to(page.locator("#password"))
        keys.type(PASSWORD)
        keys.go_to(page.locator("#again"))
        keys.type(again)
        keys.press("Enter")
        if field == "code":
            page.wait_for_selector("[role=alert] >> text=The two passwords differ.")
            page.wait_for_selector("#password:focus")
            assert page.input_value("#code") == code
    page.wait_for_url("**/check")


def check_a_picture(page: Any, keys: Keyboard, folder: Path) -> None:
    picture = folder / "door.png"
    cv2.imwrite(str(picture), frames_without_mask()[0])
    keys.go_to(page.locator("#files"))
    with page.expect_file_chooser() as chooser:
        keys.press("Space")
    chooser.value.set_files(picture)
    page.wait_for_selector(".result .faces li >> text=no mask")
    keys.go_to_link("Download door-checked.jpg")
    with page.expect_download() as download:
        keys.press("Enter")
    assert download.value.suggested_filename == "door-checked.jpg"
    keys.go_to_button("Start the webcam")
    keys.press("Enter")
    page.wait_for_selector("#webcam-error:visible")  # this browser has no camera


def log_in_again(page: Any, keys: Keyboard) -> None:
    keys.go_to_button("Log out")
    keys.enter("**/login")
    for password in ("wrong password", PASSWORD):
        page.wait_for_selector("#password:focus")
        keys.type(password)
        keys.press("Enter")
        if password != PASSWORD:
            page.wait_for_selector("[role=alert] >> text=Wrong password.")
    page.wait_for_selector("#devices .state.online")


def acknowledge(page: Any, keys: Keyboard) -> None:
    """Give the name, take the acknowledgement back, acknowledge all, and add a note."""
    page.wait_for_selector("#alerts li >> nth=1")
    keys.go_to(page.locator("button.acknowledge"))
    keys.press("Enter")
    page.wait_for_selector("#name:focus")
    page.keyboard.press("Escape")
    page.wait_for_selector("#name-dialog", state="hidden")
    assert page.locator("button.acknowledge").first.evaluate("(e) => e === document.activeElement")
    keys.press("Enter")
    page.wait_for_selector("#name:focus")
    keys.type("Anna")
    keys.press("Enter")
    page.wait_for_selector("#alerts li.acknowledged .when:has-text('Anna')")
    page.wait_for_selector("#alerts li:not(.acknowledged) button:focus")
    keys.press("Control+z")
    page.wait_for_function("() => !document.querySelector('#alerts li.acknowledged')")
    keys.go_to(page.locator("#acknowledge-all"))
    keys.press("Enter")
    page.wait_for_selector("#alerts li.acknowledged >> nth=1")
    page.wait_for_selector("#alerts-title:focus")
    keys.go_to(page.locator("#alerts li").get_by_text("Add a note"))
    keys.press("Enter")
    page.wait_for_selector("#note:focus")
    keys.type("exempt")
    keys.press("Enter")
    page.wait_for_selector("#alerts li .when:has-text('exempt')")


def edit_the_zone(page: Any, keys: Keyboard, daemon: PreviewDaemon) -> None:
    keys.go_to_link("Camera")
    keys.enter("**/camera")
    page.wait_for_selector("#save:enabled")
    keys.go_to(page.locator("#corners"))
    keys.type(ZONE)
    keys.go_to(page.locator("#min-face"))
    before = page.text_content("#min-face-text")
    keys.press("ArrowRight")
    assert page.text_content("#min-face-text") != before
    keys.go_to_button("Save")
    keys.press("Enter")
    page.wait_for_selector("#saved >> text=Saved.")
    daemon.reload()
    page.wait_for_selector("#saved >> text=The device uses the new settings now.")
    assert len(daemon.settings.camera.zone) == 3
