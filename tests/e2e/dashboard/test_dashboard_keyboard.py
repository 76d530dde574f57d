"""The tasks of the Live, History, Health and device pages with the keyboard alone."""

from __future__ import annotations

from typing import Any

from tests.support.dashboard.dashboards import Dashboard, Device, open_live_page
from tests.support.dashboard.events import encoded
from tests.support.dashboard.keyboard import Keyboard
from tests.support.mqtt.brokers import Mosquitto

ALERTS = 25
SHOWN = "document.querySelectorAll('#alerts li').length"
FOCUSED_CARD = (
    "[...document.querySelectorAll('#alerts li')].indexOf(document.activeElement.closest('li'))"
)


def test_every_task_can_be_done_with_the_keyboard(
    page: Any, mosquitto: Mosquitto, dashboard: Dashboard, device: Device
) -> None:
    device.send("health", encoded({"camera": "ok", "fps": 9.9}))
    gone = Device(mosquitto.broker, "door2")
    gone.end_alert(gone.start_alert(camera="garden"))
    gone.send("status", b"offline")
    for _ in range(ALERTS - 1):
        device.end_alert(device.start_alert())
    open_live_page(page, dashboard.address)
    page.wait_for_function(f"() => known.alerts.size === {ALERTS} && {SHOWN} === 20")
    keys = Keyboard(page)
    walk_through_live(page, keys)
    walk_through_device(page, keys)
    walk_through_health(page, keys)
    walk_through_history(page, keys)
    gone.close()


def walk_through_live(page: Any, keys: Keyboard) -> None:
    """Skip the navigation; search; show more alerts; skip them, and open a device."""
    keys.go_to_link("Skip to content")
    keys.press("Enter")
    keys.go_to(page.get_by_label("Search"))
    keys.type("garden")
    page.wait_for_function(f"() => {SHOWN} === 1")
    keys.type(" ")
    page.wait_for_function(f"() => {SHOWN} === 20")
    keys.go_to_button("Show more alerts")
    keys.press("Enter")
    page.wait_for_function(f"() => {SHOWN} === {ALERTS}")
    assert page.evaluate(FOCUSED_CARD) == 20  # the first of the new cards
    page.wait_for_selector("#show-more", state="hidden")
    page.reload()
    page.wait_for_selector("#devices .name:text-is('door2')")
    keys.go_to_link("Devices")
    keys.press("Enter")
    keys.go_to_link("door2")
    keys.enter("**/health/door2")


def walk_through_device(page: Any, keys: Keyboard) -> None:
    """Choose a period; read the explanations; nearly forget the device."""
    keys.go_to_link("7 days")
    keys.enter("**/health/door2?span=7")
    keys.go_to(page.locator("summary"))
    keys.press("Enter")
    page.wait_for_selector("details[open] dt:text-is('Frame rate')")
    keys.go_to_link("Forget this device")
    keys.enter("**/forget")
    keys.go_to_link("Cancel")
    keys.enter("**/health")


def walk_through_health(page: Any, keys: Keyboard) -> None:
    """Search and filter; show all devices again; open a device."""
    keys.go_to(page.get_by_label("Name"))
    keys.type("door")
    keys.go_to(page.get_by_label("State"))
    keys.type("offline")
    keys.go_to_button("Show")
    keys.enter("**/health?search=door&state=offline")
    assert page.locator(".devices-health h2 a").all_text_contents() == ["door2"]
    keys.go_to_link("Show all 2")
    keys.enter("**/health")
    keys.go_to_link("door1")
    keys.enter("**/health/door1")


def walk_through_history(page: Any, keys: Keyboard) -> None:
    """Choose a period and a device; pick a date, and export the alerts since then."""
    keys.go_to_link("History")
    keys.enter("**/history")
    keys.go_to(page.get_by_label("Period"))
    keys.type("Last 30")
    keys.go_to(page.get_by_label("Device"))
    keys.type("door2")
    keys.go_to_button("Show")
    keys.enter("**/history?span=30&*device=door2*")
    assert page.locator("[data-label=Camera]").all_text_contents() == ["garden"]
    keys.go_to(page.get_by_label("From"))
    page.keyboard.type("01012026")
    keys.go_to_button("Download CSV")
    with page.expect_download() as download:
        keys.press("Enter")
    assert "from=2026-01-01" in download.value.url
    keys.go_to(page.get_by_role("region", name="Table of alerts"))
