"""The dashboard of a large site in a browser: how large its pages are, and their accessibility."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.mqtt.broker import Broker
from tests.support.dashboard.accessibility import violations
from tests.support.dashboard.dashboards import Dashboard
from tests.support.dashboard.every_page import DEVICE_COUNTS, LOOKS, Look, page_cases, site
from tests.support.mqtt.brokers import Mosquitto
from tests.support.mqtt.tcp_relay import Relay

DEVICES, ALERTS = 505, 100_000
#: What a page may transfer until it is complete, with scripts, style, and all headers; and how many
#: elements and texts it may have.
MAX_PAGE_BYTES, MAX_NODES = 150_000, 3_000
PHONE = Look(390, 844, "light")
#: The height of a page on a phone, in windows, beyond which nobody scrolls.
MAX_WINDOWS = 20
COUNT_NODES = """
(() => {
  const walker = document.createTreeWalker(document, NodeFilter.SHOW_ELEMENT);
  let count = 0;
  while (walker.nextNode()) count += 1;
  return count;
})()
"""
WINDOWS = "document.documentElement.scrollHeight / innerHeight"
#: Returns the elements that are wider than the window, and the texts that are cut off by a chart.
TOO_WIDE = """
[...document.querySelectorAll("body *")].filter((e) => {
  if (!e.checkVisibility() || e.closest(".scroll, .unseen, .skip, #to-devices")) return false;
  const box = e.getBoundingClientRect();
  const chart = e.tagName === "text" ? e.ownerSVGElement.getBoundingClientRect() : null;
  return box.right > innerWidth + 0.5
    || (chart && (box.left < chart.left - 0.5 || box.right > chart.right + 0.5));
}).map((e) => e.outerHTML.slice(0, 200))
"""
FIRST_PAINT_MS = "performance.getEntriesByName('first-contentful-paint')[0].startTime"


def test_pages_of_a_large_site_stay_small(
    browser: Any, tmp_path: Path, mosquitto: Mosquitto
) -> None:
    """Also writes how long the first paint and an update took into `figures.json`."""
    figures: dict[str, Any] = {}
    with site(tmp_path, mosquitto, DEVICES, ALERTS) as (dashboard, simulated):
        relay = Relay(Broker("127.0.0.1", dashboard.port), records=True)
        page = browser.new_page()
        PHONE.apply(page)
        for path, ready in (("/", "#devices li"), ("/health", ".devices-health h2")):
            before = len(relay.recorded)
            page.goto(f"http://127.0.0.1:{relay.broker.port}{path}")
            page.wait_for_selector(ready)
            figures[path] = {
                "bytes": len(relay.recorded) - before,
                "nodes": page.evaluate(COUNT_NODES),
                "windows": page.evaluate(WINDOWS),
                "first_paint_ms": page.evaluate(FIRST_PAINT_MS),
                "updates_s": [measure(page, simulated) for measure in 3 * [UPDATES[path]]],
                "bytes_with_updates": len(relay.recorded) - before,
            }
            assert page.evaluate(TOO_WIDE) == [], path
        (tmp_path / "figures.json").write_text(json.dumps(figures))
        for path, found in figures.items():
            assert found["bytes"] < MAX_PAGE_BYTES, path
            assert found["bytes_with_updates"] < 2 * MAX_PAGE_BYTES, path
            assert found["nodes"] < MAX_NODES, path
            assert found["windows"] < MAX_WINDOWS, path
        # The devices that are not on the Live page are one link away.
        page.goto(dashboard.address)
        page.get_by_role("link", name=f"all {DEVICES} devices").click()
        page.wait_for_selector(f"nav:has-text('of {DEVICES} devices')")
        page.close()
        relay.close()


def live_update_s(page: Any, simulated: Any) -> float:
    """Return how long after its publication an alert is on the Live page."""
    page.evaluate("window.shown_s = null")
    started_s = time.time()
    alert = simulated.start_alert()
    page.wait_for_function(
        "(id) => document.querySelector(`[data-episode='${id}']`)"
        " && (window.shown_s ??= Date.now() / 1000)",
        arg=alert["id"],
        polling="raf",
    )
    return float(page.evaluate("shown_s")) - started_s


def health_update_s(page: Any, _simulated: Any) -> float:
    """Return how long the Health page takes to fetch and show the present state."""
    return float(
        page.evaluate(
            """async () => {
              const started_ms = performance.now();
              const replaced = new Promise((done) => new MutationObserver(done)
                .observe(document.getElementById("fresh"), { childList: true }));
              document.dispatchEvent(new Event("visibilitychange"));
              await replaced;
              return (performance.now() - started_ms) / 1000;
            }"""
        )
    )


UPDATES: dict[str, Callable[[Any, Any], float]] = {"/": live_update_s, "/health": health_update_s}


def check_every_page(
    browser: Any, dashboard: Dashboard, devices: int, looks: Callable[[int], tuple[Look, ...]]
) -> None:
    """Check each page with axe in the looks that `looks` returns for its number."""
    found: list[str] = []
    page = browser.new_page()
    for number, case in enumerate(page_cases(dashboard, devices)):
        for look in looks(number):
            look.apply(page)
            case.open(page, dashboard.address)
            found += [f"{look}: {text}" for text in violations(page)]
            found += [f"{look}: {case.path}: too wide: {e}" for e in page.evaluate(TOO_WIDE)]
    page.close()
    assert found == []


def test_pages_are_accessible(browser: Any, tmp_path: Path, mosquitto: Mosquitto) -> None:
    with site(tmp_path, mosquitto, 5, 200) as (dashboard, _):
        check_every_page(browser, dashboard, 5, lambda number: (LOOKS[number % len(LOOKS)],))


@pytest.mark.soak
@pytest.mark.parametrize("devices", DEVICE_COUNTS)
def test_pages_are_accessible_in_every_look(
    browser: Any, tmp_path: Path, mosquitto: Mosquitto, devices: int
) -> None:
    with site(tmp_path, mosquitto, devices, ALERTS) as (dashboard, _):
        check_every_page(browser, dashboard, devices, lambda _: LOOKS)
