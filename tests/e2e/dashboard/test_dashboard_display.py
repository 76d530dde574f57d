"""The sound of the Live page, and the display on a wall, in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge.dashboard.access.password import Password
from tests.support.dashboard.dashboards import Dashboard, Device
from tests.support.dashboard.http_client import PASSWORD
from tests.support.mqtt.brokers import Mosquitto

#: Counts the tones that a page plays.
COUNT_TONES = """
window.tones = 0;
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...args) { window.tones += 1; start.apply(this, args); };
"""


def test_sound_is_remembered_and_a_display_lasts_until_it_is_revoked(
    browser: Any, tmp_path: Path, mosquitto: Mosquitto, device: Device
) -> None:
    dashboard = Dashboard(tmp_path, mosquitto.port, needs_password=True)
    Password(dashboard.state / "dashboard-password").set(PASSWORD)
    dashboard.start()
    desk, wall = browser.new_context().new_page(), browser.new_context().new_page()
    for page in (desk, wall):
        page.add_init_script(COUNT_TONES)
    log_in(desk, dashboard)
    sound_is_remembered(desk, device)
    link = make_link(desk, dashboard)
    wall.goto(f"{link}&sound=on")
    assert wall.url == f"{dashboard.address}/display?sound=on"
    wall.goto(f"{dashboard.address}/display")
    wall.wait_for_selector("#alerts li.alert >> text=entrance")
    wall.wait_for_selector("#sound-blocked:visible")
    links = wall.locator("a:visible, select:visible, #alerts button:visible, form:visible")
    assert links.count() == 0
    wall.click("#banner")  # the browser allows the sound after any click
    wall.wait_for_selector("#sound-blocked", state="hidden")
    device.start_alert(camera="garden")
    wall.wait_for_selector("#alerts li >> text=garden")
    wall.wait_for_function("() => window.tones === 2")
    # A display stays when all users must log in again, and when the dashboard restarts.
    Password(dashboard.state / "dashboard-password").set("another password")
    dashboard.stop()
    dashboard.start()
    device.start_alert(camera="street")
    wall.wait_for_selector("#alerts li >> text=street")
    log_in(desk, dashboard, "another password")
    desk.goto(f"{dashboard.address}/screens")
    desk.get_by_role("button", name="Revoke the link").click()
    desk.wait_for_selector("text=No links.")
    wall.wait_for_selector("text=This link is not valid")  # it ends at once, without a log-in page
    for page in (desk, wall):
        page.context.close()
    assert dashboard.stop() == 0


def log_in(page: Any, dashboard: Dashboard, password: str = PASSWORD) -> None:
    page.goto(f"{dashboard.address}/login")
    page.fill("#password", password)
    page.keyboard.press("Enter")
    page.wait_for_selector("nav")


def sound_is_remembered(page: Any, device: Device) -> None:
    page.wait_for_function("() => known.online && known.link.connected")
    page.check("#sound")
    page.wait_for_function("() => window.tones === 2")  # this is how it sounds
    # In a new tab, the browser does not allow it before a click.
    tab = page.context.new_page()
    tab.add_init_script(COUNT_TONES)
    tab.goto(page.url)
    assert tab.is_checked("#sound")
    tab.get_by_role("button", name="Click to enable sound").click()
    tab.wait_for_selector("#sound-blocked", state="hidden")
    device.start_alert()
    tab.wait_for_function("() => window.tones === 2")
    tab.close()


def make_link(page: Any, dashboard: Dashboard) -> str:
    page.get_by_role("link", name="Show this page on a wall.").click()
    page.get_by_role("button", name="Make a link").click()
    link = str(page.text_content("#new"))
    assert link.startswith(f"{dashboard.address}/display?token=")
    return link
