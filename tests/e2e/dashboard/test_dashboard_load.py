"""The dashboard with many devices, and with a long history; `make soak` runs the long tests."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest

from edge.mqtt.broker import Broker
from tests.support.dashboard.dashboards import Dashboard
from tests.support.dashboard.events import encoded, end, start
from tests.support.dashboard.sites import device_names, fill_history
from tests.support.mqtt.brokers import Mosquitto
from tests.support.waiting import wait_until

#: Events per second of all devices together, and the interval between a device's health reports.
EVENTS_PER_S, HEALTH_EVERY_S = 50, 30.0
#: Caches fill at the start of a run. Therefore the reference is the memory use after the share
#: SETTLED of the run; from then to the end, the memory use may grow by the factor GROWTH.
SETTLED, GROWTH = 0.3, 1.25
DAY_S = 86_400.0
LAGS = """
window.lags = [];
const known_before = new Set();
new MutationObserver(() => {
  for (const card of document.querySelectorAll("#alerts li")) {
    const id = card.dataset.episode;
    if (known_before.has(id)) continue;
    known_before.add(id);
    window.lags.push(Date.now() / 1000 - known.alerts.get(id).started_s);
  }
}).observe(document, { childList: true, subtree: true });
"""


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


class SimulatedDevices:
    """`count` devices that send alerts in turn, over one connection to the broker."""

    def __init__(self, broker: Broker, count: int) -> None:
        self.sent = 0
        self._names = [f"door{number:03}" for number in range(count)]
        self._seq = dict.fromkeys(self._names, 0)
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.max_queued_messages_set(0)
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        for name in self._names:
            self._publish(name, "status", b"online", retain=True)

    def publish_for(self, seconds: float) -> None:
        """Publish starts and ends of alerts at a constant rate, and health reports."""
        started_s, open_alerts, turn, reports = time.monotonic(), [], 0, 0
        never = threading.Event()
        for number in range(int(seconds * EVENTS_PER_S)):
            never.wait(max(0.0, started_s + number / EVENTS_PER_S - time.monotonic()))
            if number % 2 == 0:
                name = self._names[turn % len(self._names)]
                turn += 1
                body = start(name, self._next(name), time.time())
                open_alerts.append(body)
            else:
                body = open_alerts.pop(0)
                body = end(body, self._next(body["device"]), 1.0)
            self._publish(body["device"], "events", encoded(body))
            self.sent += 1
            due = int((time.monotonic() - started_s) / HEALTH_EVERY_S * len(self._names))
            while reports < due:
                name = self._names[reports % len(self._names)]
                health = {"camera": "ok", "fps": 10.0, "memory_mb": 97.5, "outbox_depth": 0}
                self._publish(name, "health", encoded(health), retain=True, qos=0)
                reports += 1

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _next(self, name: str) -> int:
        self._seq[name] += 1
        return self._seq[name]

    def _publish(
        self, name: str, leaf: str, body: bytes, retain: bool = False, qos: int = 1
    ) -> None:
        self._client.publish(f"maskpatrol/{name}/{leaf}", body, qos=qos, retain=retain)


def query(dashboard: Dashboard, sql: str) -> int:
    with sqlite3.connect(dashboard.state / "dashboard.sqlite3", timeout=30) as db:
        return int(db.execute(sql).fetchone()[0] or 0)


@pytest.mark.parametrize(
    ("devices", "seconds"),
    [
        pytest.param(100, 8.0, id="short"),
        pytest.param(500, 300.0, id="five-minutes", marks=pytest.mark.soak),
    ],
)
def test_load_of_many_devices(
    browser: Any, tmp_path: Path, mosquitto: Mosquitto, devices: int, seconds: float
) -> None:
    dashboard = Dashboard(tmp_path, mosquitto.port).start()
    page = browser.new_page()
    page.add_init_script(LAGS)
    page.goto(dashboard.address)
    page.wait_for_function("() => known.online && known.link.connected")
    page.evaluate("cardLimit = MAX_ALERTS")  # every alert gets a card, which LAGS waits for
    simulated = SimulatedDevices(mosquitto.broker, devices)
    memory: list[float] = []
    finished = threading.Event()

    def record_memory() -> None:
        while not finished.wait(1.0):
            memory.append(resident_mb(dashboard.pid))

    recorder = threading.Thread(target=record_memory)
    recorder.start()
    simulated.publish_for(seconds)
    wait_until(
        lambda: query(dashboard, "SELECT count(*) FROM events") == simulated.sent, "all events", 30
    )
    finished.set()
    recorder.join()
    assert (
        query(dashboard, "SELECT count(*) FROM alerts WHERE ended_s IS NOT NULL")
        == simulated.sent / 2
    )
    assert query(dashboard, "SELECT sum(alerts) FROM hourly") == simulated.sent / 2
    assert query(dashboard, "SELECT count(*) FROM gaps") == 0
    page.wait_for_function(f"() => window.lags.length === {simulated.sent // 2}")
    lags = sorted(page.evaluate("window.lags"))
    settled = memory[int(SETTLED * len(memory))]
    cpu_s = (
        sum(int(v) for v in Path(f"/proc/{dashboard.pid}/stat").read_text().split()[13:15]) / 100
    )
    figures = {
        "events": simulated.sent, "lag_median_s": lags[len(lags) // 2], "lag_max_s": lags[-1],
        "memory_mb": [settled, max(memory)], "cpu_share": cpu_s / seconds,
    }  # fmt: skip
    (tmp_path / "figures.json").write_text(json.dumps(figures))
    assert lags[-1] < 2.0, figures
    assert max(memory[int(SETTLED * len(memory)) :]) < GROWTH * settled, figures
    page.close()
    simulated.close()
    assert dashboard.stop() == 0


@pytest.mark.parametrize(
    ("alerts", "devices"),
    [
        pytest.param(5_000, 20, id="5000-alerts"),
        pytest.param(1_000_000, 500, id="a-million", marks=pytest.mark.soak),
    ],
)
def test_pages_with_a_year_of_history(
    browser: Any, tmp_path: Path, mosquitto: Mosquitto, alerts: int, devices: int
) -> None:
    dashboard = Dashboard(tmp_path, mosquitto.port)
    fill_history(dashboard.state / "dashboard.sqlite3", alerts, device_names(devices))
    dashboard.start()
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    took = {}
    for path in (
        "/", "/health", "/health/door003", "/check", "/history", "/history?span=30",
        "/history?span=365", "/history?span=365&device=door003", "/history?span=365&ended=masked",
        "/history?span=365&ended=open", "/history?span=365&label=incorrect_mask",
    ):  # fmt: skip
        started_s = time.monotonic()
        page.goto(dashboard.address + path)
        if path == "/":
            page.wait_for_selector("#alerts li")
        took[path] = round(time.monotonic() - started_s, 3)
    # In India, the hours do not begin with those of UTC, so that every alert is read.
    zone = {"name": "mask_patrol_zone", "value": "Asia/Kolkata", "url": dashboard.address}
    abroad = browser.new_context(timezone_id="Asia/Kolkata")
    abroad.add_cookies([zone])
    started_s = time.monotonic()
    abroad.new_page().goto(f"{dashboard.address}/history?span=365")
    took["abroad"] = round(time.monotonic() - started_s, 3)
    abroad.close()
    page.goto(f"{dashboard.address}/history?span=365")
    assert f"{alerts:,} started in this period" in page.locator("main").text_content()
    for _ in range(3):
        started_s = time.monotonic()
        page.get_by_text("Older alerts", exact=True).click()
        page.wait_for_selector("text=Back to the newest alerts")
        took["older"] = max(took.get("older", 0.0), round(time.monotonic() - started_s, 3))
    took["memory_mb"] = resident_mb(dashboard.pid)
    (tmp_path / "figures.json").write_text(json.dumps(took))
    assert max(v for k, v in took.items() if k != "memory_mb") < 2.0, took
    with page.expect_download(timeout=120_000) as download:
        page.goto(f"{dashboard.address}/history?span=365")
        page.get_by_text("CSV").click()
    with Path(download.value.path()).open() as file:
        assert sum(1 for _ in file) == alerts + 1
    context.close()
    assert dashboard.stop() == 0
