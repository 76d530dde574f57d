"""The dashboard's pages in a real browser: what they show when something is wrong."""

from __future__ import annotations

import re
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from edge.common.clock import iso_utc
from edge.dashboard.access.password import Password
from edge.dashboard.base.device_slots import MAX_SLOTS
from edge.dashboard.base.display_names import display_name
from edge.dashboard.history.database import open_database
from edge.dashboard.history.store import HistoryStore
from edge.dashboard.pages.display_times import ZONE_COOKIE, format_duration, format_time
from tests.support.dashboard.dashboards import Dashboard, Device, open_live_page
from tests.support.dashboard.events import encoded, message, start
from tests.support.mqtt.brokers import Mosquitto
from tests.support.waiting import wait_until

DAY_S = 86_400.0
EPISODES = "[...document.querySelectorAll('#alerts li')].map((card) => card.dataset.episode)"
FOCUSED = "document.activeElement.getAttribute('aria-label') || document.activeElement.id"


#: Titles that a device may have: HTML, a script from right to left, and the maximum length.
HTML_TITLE, HEBREW_TITLE, LONG_TITLE = "<img src=x onerror='alert(1)'>", "כניסה 1", "入" * 64


def state(no_mask: bool, people: int, since_s: float) -> bytes:
    return encoded({"no_mask": no_mask, "people": people, "since": iso_utc(since_s)})


def test_alert_with_a_lost_end_becomes_unknown(
    page: Any, dashboard: Dashboard, device: Device
) -> None:
    open_live_page(page, dashboard.address)
    device.send("state", state(False, 0, time.time() - 60.0), retain=True)
    device.start_alert()
    device.send("state", state(True, 1, time.time()), retain=True)
    page.wait_for_selector(".banner.alarm >> text=1 person without a mask")
    device.send("state", state(False, 0, time.time()), retain=True)
    page.wait_for_selector("#alerts li .badge:text('End not reported')")
    page.wait_for_selector("#alerts li .when:has-text('started ')")
    page.wait_for_selector(".banner.calm")
    # The clock of the device is 60 s ahead, which is not enough for it to be treated as wrong.
    ahead_s = time.time() + 60.0
    device.start_alert(time=iso_utc(ahead_s))
    device.send("state", state(True, 1, ahead_s), retain=True)
    page.wait_for_selector(".banner.alarm >> text=1 person without a mask")
    page.wait_for_selector("#alerts li.open + li.lost")  # the first alert is still shown as unknown
    device.send("state", state(False, 0, ahead_s + 1.0), retain=True)
    page.wait_for_selector(".banner.calm")
    page.reload()
    page.wait_for_selector(".banner.calm")
    assert page.locator(".banner.alarm").count() == 0


def test_banner_is_calm_only_if_all_are_online(
    page: Any, mosquitto: Mosquitto, dashboard: Dashboard, device: Device
) -> None:
    open_live_page(page, dashboard.address)
    page.wait_for_selector(".banner.calm >> text=1 device online")
    away = Device(mosquitto.broker, "door2")
    away.send("health", encoded({"camera": "ok", "outbox_depth": 3}))
    page.wait_for_selector("#devices .more:has-text('3 events waiting')")
    away.send("status", b"offline", retain=True)
    page.wait_for_selector("#devices .offline .more:has-text('3 events were waiting then')")
    page.wait_for_selector(".banner.warn >> text=1 of 2 devices not online")
    page.wait_for_selector(
        "#banner-more:text('Nobody without a mask at the device that is online')"
    )
    device.start_alert()
    page.wait_for_selector("#banner-more:text('at door1 · 1 device not online')")
    away.send("status", b"online", retain=True)
    page.wait_for_selector("#banner-more:text-is('at door1')")
    # An alert that began before the dashboard was connected for the first time.
    away.send("state", state(True, 1, time.time()), retain=True)
    page.wait_for_selector(".banner.alarm >> text=At least 2 people without a mask")
    page.wait_for_selector("#banner-more:text-is('at door1, door2')")
    assert page.title().startswith("(2) ")
    assert page.locator(".banner.calm").count() == 0
    away.close()


def test_failed_acknowledgement_is_reported(
    page: Any, dashboard: Dashboard, device: Device
) -> None:
    open_live_page(page, dashboard.address)
    for _ in range(12):
        device.start_alert()
    page.wait_for_selector("#acknowledge-all:text('Acknowledge 12 alerts')")
    methods: list[str] = []
    page.on("request", lambda request: methods.append(request.method))
    address = re.compile("/acknowledge$")
    page.route(address, lambda route: route.abort())
    page.click("#acknowledge-all")
    page.wait_for_selector("#acknowledge-error:text('Not acknowledged: the dashboard does not')")
    page.unroute(address)
    page.route(address, lambda route: route.fulfill(status=503, body="<p>no database</p>"))
    page.click("#acknowledge-all")
    page.wait_for_selector(
        "#acknowledge-error:has-text('could not store it (error 503). Try again.')"
    )
    assert page.locator("#alerts li.acknowledged").count() == 0
    page.unroute(address)
    methods.clear()
    page.click("#acknowledge-all")
    page.wait_for_function("() => document.querySelectorAll('li.acknowledged').length === 12")
    assert methods == ["POST"]  # one request for all alerts
    page.wait_for_selector("#acknowledge-error", state="hidden")
    page.wait_for_selector("#acknowledge-all", state="hidden")


def test_invalid_acknowledgements_are_refused(page: Any, dashboard: Dashboard) -> None:
    open_live_page(page, dashboard.address)
    bodies = {
        "": 422, "{": 422, '{"episodes": []}': 422, '{"episodes": ["\\u0000"]}': 422,
        '{"episodes": "x"}': 422, '{"episodes": ["%s"]}' % ("x" * 200_000): 422,
        '{"episodes": ["nobody"]}': 404,
    }  # fmt: skip
    post = "(body) => fetch('/alerts/acknowledge', { method: 'POST', body }).then((a) => a.status)"
    assert {body: page.evaluate(post, body) for body in bodies} == bodies


def test_keyboard_focus_moves_to_the_next_alert(
    page: Any, dashboard: Dashboard, device: Device
) -> None:
    open_live_page(page, dashboard.address)
    for camera in ("one", "two", "three"):
        device.start_alert(camera=camera)
    page.wait_for_function("() => document.querySelectorAll('#alerts li').length === 3")
    # With the filter "all", an acknowledgement hides only the button; with "new", the whole card.
    for which in ("all", "new"):
        page.select_option("#which", which)
        page.locator("#alerts li:not(.acknowledged) button").first.focus()
        expected = page.evaluate(
            "document.querySelectorAll('#alerts li:not(.acknowledged)')[1].dataset.episode"
        )
        page.keyboard.press("Enter")
        page.wait_for_function(
            "(next) => document.activeElement.closest('li')?.dataset.episode === next",
            arg=expected,
        )
    page.keyboard.press("Enter")  # this acknowledges the last new alert
    page.wait_for_function(f"() => ({FOCUSED}) === 'alerts-title'")
    assert page.locator("#alerts li:not(.acknowledged)").count() == 0


def test_device_is_forgotten_until_its_next_message(
    page: Any, mosquitto: Mosquitto, dashboard: Dashboard, device: Device
) -> None:
    retired = Device(mosquitto.broker, "door2")
    retired.end_alert(retired.start_alert())
    retired.send("state", state(False, 0, time.time()), retain=True)
    retired.send("status", b"offline", retain=True)
    open_live_page(page, dashboard.address)
    page.wait_for_selector("#device-count:text('1 of 2 online')")
    health = page.context.new_page()
    health.goto(f"{dashboard.address}/health")
    assert health.get_by_role("link", name="Forget door1").count() == 0  # it is online
    health.get_by_role("link", name="Forget door2").focus()
    health.keyboard.press("Enter")
    health.wait_for_selector("h1:text('Forget door2?')")
    assert "returns if the broker notices only" in health.text_content("form")
    for _ in range(20):
        health.keyboard.press("Tab")
        if health.evaluate("document.activeElement.textContent") == "Forget door2":
            break
    health.keyboard.press("Enter")
    health.wait_for_url("**/health")
    assert health.locator(".devices-health h2 a").all_text_contents() == ["door1"]
    page.wait_for_selector("#device-count:text('1 of 1 online')")  # updated without a reload
    page.wait_for_selector(".banner.calm")
    assert page.locator("#alerts li").count() == 1
    assert health.goto(f"{dashboard.address}/health/door2/forget").status == 404
    health.goto(f"{dashboard.address}/history?device=door2")
    assert health.locator(".stacked tbody tr").count() == 1
    # Retained messages do not bring back the forgotten device, not even after a restart.
    assert dashboard.stop() == 0
    dashboard.start().wait_connected()
    page.wait_for_selector("#device-count:text('1 of 1 online')")
    retired.send("state", state(False, 0, time.time()), retain=True)
    page.wait_for_selector("#devices .name:text('door2')")
    retired.close()


def test_silent_devices_are_forgotten_together(
    page: Any, dashboard: Dashboard, device: Device
) -> None:
    assert dashboard.stop() == 0
    engine = open_database(f"sqlite:///{dashboard.state}/dashboard.sqlite3")
    store, now_s = HistoryStore(engine), time.time()
    store.write_events([message("invented1", at_s=now_s - 2 * DAY_S)], now_s - 2 * DAY_S)
    store.update_last_seen({f"invented{number}": now_s - 2 * DAY_S for number in range(700)})
    store.update_last_seen({"door1": now_s - 2 * DAY_S, "door2": now_s - 3600.0})
    engine.dispose()
    dashboard.start().wait_connected()
    device.send("state", state(False, 0, time.time()))
    open_live_page(page, dashboard.address)
    page.wait_for_selector("#device-count:text('1 of 702 online')")
    health = page.context.new_page()
    health.goto(f"{dashboard.address}/health")
    health.get_by_role(
        "link", name="Forget all 700 devices that have been silent for a day"
    ).click()
    health.wait_for_selector("h1:text('Forget 700 devices?')")
    names = health.locator("details p").text_content()
    assert "invented699" in names
    assert "door" not in names
    health.get_by_role("button", name="Forget them").click()
    health.wait_for_url("**/health")
    assert health.locator(".devices-health h2 a").all_text_contents() == ["door2", "door1"]
    assert health.get_by_role("link", name="Forget all").count() == 0
    page.wait_for_selector("#device-count:text('1 of 2 online')")
    health.goto(f"{dashboard.address}/forget-silent")
    health.wait_for_selector("h1:text('No device has been silent for a day')")
    # The History page offers only those forgotten devices for selection that have alerts.
    health.goto(f"{dashboard.address}/history")
    assert health.locator("#device > option").all_text_contents() == ["all", "door1", "door2"]
    assert health.locator("#device optgroup option").all_text_contents() == ["invented1"]


def test_invented_names_do_not_hide_real_devices(
    page: Any, mosquitto: Mosquitto, dashboard: Dashboard, device: Device
) -> None:
    open_live_page(page, dashboard.address)
    page.wait_for_selector("#device-count:text('1 of 1 online')")
    rogue = Device(mosquitto.broker, "invented0")
    for number in range(MAX_SLOTS + 300):
        rogue.publish(f"maskpatrol/invented{number}/status", b"online", wait=False)
    rogue.send("status", b"online")
    new = Device(mosquitto.broker, "door2")
    for number in range(100):  # the flood continues
        topic = f"maskpatrol/invented{number + MAX_SLOTS}/status"
        rogue.publish(topic, b"online", wait=False)
    rogue.send("status", b"online")
    episodes = [sender.start_alert()["id"] for sender in (device, new)]
    page.wait_for_function(
        f"(expected) => expected.every((episode) => {EPISODES}.includes(episode))", arg=episodes
    )
    wait_until(lambda: dashboard.live_message()["link"]["crowd"] != "", "the warning")
    health = page.context.new_page()
    health.goto(f"{dashboard.address}/health")
    health.wait_for_selector(".notice:has-text('More than 2000 device names are in use')")
    health.wait_for_selector(f"nav:has-text('of {MAX_SLOTS:,} devices')")
    health.fill("#search", "door")
    health.keyboard.press("Enter")
    health.wait_for_url("**/health?search=door&state=")
    # Trouble comes first; which of the two has more of it is tested elsewhere.
    found = health.locator(".devices-health h2 a").all_text_contents()
    assert sorted(found) == ["door1", "door2"]
    assert "None since the dashboard started" in health.text_content("main")
    for sender in (rogue, new):
        sender.close()


@pytest.mark.parametrize("path", ["/health", "/health/door1"])
def test_page_reports_that_the_dashboard_is_down(
    page: Any, dashboard: Dashboard, device: Device, path: str
) -> None:
    device.send("health", encoded({"camera": "ok", "fps": 9.9}))
    open_live_page(page, dashboard.address)
    page.wait_for_selector("#devices .state.online")
    page.goto(dashboard.address + path)
    page.click("summary")
    page.locator("#fresh a").first.focus() if path == "/health" else None
    refresh = "document.dispatchEvent(new Event('visibilitychange'))"
    page.route("**" + path, lambda route: route.fulfill(status=503, body="no"))
    page.evaluate(refresh)
    page.wait_for_selector(
        "#away:has-text('The dashboard answers with error 503. This page shows the state at')"
    )
    page.unroute("**" + path)
    assert dashboard.stop() == 0
    page.evaluate(refresh)
    page.wait_for_selector("#away:has-text('The dashboard does not answer. This page shows')")
    assert page.locator("#fresh .state.online").count() == 1
    dashboard.start()
    page.evaluate(refresh)
    page.wait_for_selector("#away", state="hidden")
    assert page.locator("details[open] dt:text-is('Frame time')").is_visible()
    if path == "/health":  # the focus has not moved
        assert page.evaluate("document.activeElement.textContent") == "door1"


def test_every_page_has_the_times_of_the_browser(
    browser: Any, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    """The zone has half an hour and summer time, and the language writes times with AM and PM."""
    zone = ZoneInfo("America/St_Johns")
    dashboard = Dashboard(tmp_path, mosquitto.port, needs_password=True)
    Password(dashboard.state / "dashboard-password").set("correct horse battery")
    dashboard.start()
    device = Device(mosquitto.broker)
    context = browser.new_context(timezone_id="America/St_Johns", locale="en-US")
    page = context.new_page()
    page.goto(f"{dashboard.address}/history")
    page.fill("#password", "correct horse battery")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:text('History')")
    assert page.text_content("#zone") == "America/St_Johns"  # already on the first page
    open_live_page(page, dashboard.address)
    started = iso_utc(time.time() - 2 * DAY_S)
    device.start_alert(time=started)
    shown = format_time(datetime.fromisoformat(started).timestamp(), zone)
    page.wait_for_selector(f"#alerts .when:has-text('since {shown} (')")
    moments = [-1.0, 0.4, 1_772_000_000.0, 1_783_036_799.9, 250e9, 1e18]
    assert page.evaluate("(all) => all.map(formatTime)", moments) == [
        format_time(at_s, zone) for at_s in moments
    ]
    lengths = [0.4, 59.6, 125.0, 3840.0, 90_000.0]
    assert page.evaluate("(all) => all.map(formatDuration)", lengths) == [
        format_duration(seconds) for seconds in lengths
    ]
    context.clear_cookies(name=ZONE_COOKIE)
    for path in ("/history", "/health"):
        # Without the cookie, the server does not know the zone. The page reloads itself once.
        page.goto(dashboard.address + path)
        page.wait_for_selector("#zone:text-is('America/St_Johns')")
        assert page.locator("#zone").count() == 1
    page.goto(f"{dashboard.address}/history")
    assert page.text_content("td[data-label=Started]") == shown
    assert page.text_content("td[data-label=End]") == "ongoing"
    context.close()
    device.close()
    assert dashboard.stop() == 0


def test_name_is_taken_if_the_dialog_is_opened_again_at_once(
    page: Any, dashboard: Dashboard, device: Device
) -> None:
    device.start_alert()
    page.goto(dashboard.address)
    page.click("button.acknowledge")
    page.wait_for_selector("#name-dialog[open]")
    # The event of the first closing comes when the dialog is open for the second time.
    page.evaluate(
        """() => {
          document.getElementById("name-dialog").close();
          document.querySelector("button.acknowledge").click();
        }"""
    )
    page.fill("#name", "Anna")
    page.keyboard.press("Enter")
    page.wait_for_selector("#alerts li.acknowledged .when:has-text('Anna')")


def test_columns_differ_by_a_hatch(page: Any, dashboard: Dashboard, device: Device) -> None:
    device.start_alert()
    device.start_alert(label="incorrect_mask")
    device.publish("maskpatrol/door2/events", encoded(start("door2", 1, time.time())))
    open_live_page(page, dashboard.address)
    page.wait_for_function("() => document.querySelectorAll('#alerts li').length === 3")
    page.goto(f"{dashboard.address}/history")
    rectangles = page.evaluate(
        """['.incorrect_mask', '[fill="url(#hatch)"]', '.no_mask'].map((kind) => {
          const { x, y, width, height } = document.querySelector(`svg g ${kind}`).getBBox();
          return [x, y, width, height].map(Math.round).join();
        })"""
    )
    assert rectangles[0] == rectangles[1] != rectangles[2]
    assert page.locator('.chart [fill="url(#hatch)"]').count() == 2  # over time, and by device
    # With forced colours, which remove backgrounds, the marks of the labels stay.
    marks = """['.legend .no_mask', '.legend .incorrect_mask', '.dot.no_mask',
       '.dot.incorrect_mask'].map((mark) => getComputedStyle(document.querySelector(mark)))
      .map((style) => style.backgroundImage === 'none' ? style.backgroundColor : 'hatched')"""
    page.emulate_media(forced_colors="active")
    ink = page.evaluate("getComputedStyle(document.querySelector('h1')).color")
    assert page.evaluate(marks) == [ink, "hatched"] * 2


def test_long_list_of_problems_stretches_no_chart(page: Any, dashboard: Dashboard) -> None:
    engine = open_database(f"sqlite:///{dashboard.state}/dashboard.sqlite3")
    store, now_s = HistoryStore(engine), time.time()
    figures = {"fps": 9.0, "frame_ms": 50.0, "temperature_c": 60.0, "memory_mb": 200.0}
    store.update_last_seen({"door9": now_s})
    store.add_figures([{"device": "door9", "at_s": now_s - 600.0, "outbox_depth": 0, **figures}])
    store.add_problems([{"device": "door9", "at_s": now_s, "text": "hot"} for _ in range(50)])
    engine.dispose()
    assert dashboard.stop() == 0
    dashboard.start().wait_connected()
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{dashboard.address}/health/door9")
    heights = page.evaluate(
        "[...document.querySelectorAll('.charts > section')].map((card) => card.clientHeight)"
    )
    assert len(heights) == 6
    assert max(heights[:5]) < 400 < heights[5]


def test_titles_are_shown_as_text_beside_the_names(
    page: Any, mosquitto: Mosquitto, dashboard: Dashboard, device: Device
) -> None:
    """The fixture `page` also fails the test if a title is executed."""
    titles = {"door1": HTML_TITLE, "door2": HEBREW_TITLE, "door3": LONG_TITLE}
    shown = {name: display_name(name, title) for name, title in titles.items()}
    doors = [device, *(Device(mosquitto.broker, name) for name in ("door2", "door3"))]
    for door in doors:
        info = {"title": titles[door.name], "camera": {"name": "entrance", "title": HTML_TITLE}}
        door.send("info", encoded(info), retain=True)
        door.send("health", encoded({"camera": "ok", "warnings": [f"a problem of {door.name}"]}))
        door.start_alert()
    open_live_page(page, dashboard.address)
    page.wait_for_function(
        "(names) => names.every((name) => [...document.querySelectorAll('#devices .name')]"
        ".some((link) => link.textContent === name))",
        arg=list(shown.values()),
    )
    camera = display_name("entrance", HTML_TITLE)
    places = {f"{name} · {camera}" for name in shown.values()}
    page.wait_for_function(
        "(places) => places.every((place) => [...document.querySelectorAll('#alerts .who')]"
        ".some((who) => who.textContent === place))",
        arg=list(places),
    )
    assert set(page.locator("#alerts .who").all_text_contents()) == places
    page.fill("#search", HEBREW_TITLE)
    page.wait_for_function("() => document.querySelectorAll('#alerts li').length === 1")
    page.goto(f"{dashboard.address}/health")
    assert page.locator(".devices-health h2 a").all_text_contents() == list(shown.values())
    assert set(page.locator(".troubles b").all_text_contents()) == set(shown.values())
    page.goto(f"{dashboard.address}/health/door1")
    assert page.text_content("h1") == shown["door1"]
    assert page.title() == f"{shown['door1']} · Mask Patrol"
    page.goto(f"{dashboard.address}/history")
    assert set(page.locator(".stacked tbody td:nth-child(2)").all_text_contents()) == set(
        shown.values()
    )
    assert set(page.locator(".stacked tbody td:nth-child(3)").all_text_contents()) == {camera}
    options = page.locator("#device option")
    assert options.all_text_contents()[1:] == list(shown.values())
    page.select_option("#device", "door2")
    page.click("text=Show")
    page.wait_for_selector(".stacked tbody tr:only-child")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for door in doors[1:]:
        door.close()
