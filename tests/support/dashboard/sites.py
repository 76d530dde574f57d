"""A dashboard of many devices with a long history, for the tests of size, speed and looks."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho

from edge.common.clock import iso_utc
from edge.dashboard.history.database import open_database
from edge.mqtt.broker import Broker
from tests.support.dashboard.dashboards import Dashboard
from tests.support.dashboard.events import MODEL, encoded, episode, start
from tests.support.waiting import wait_until

DAY_S = 86_400.0
#: The longest name that a device may have.
LONG_NAME = "loading-bay-" + 52 * "x"

#: What all alerts of `fill_history` have in common.
ALERT: dict[str, Any] = {
    "camera": "entrance", "label": "no_mask", "score": 0.93, "readings": 6, "ended_by": "left",
    "duration_s": 4.0, "clock_synced": True, "replayed": False, "model": MODEL,
}  # fmt: skip


def device_names(count: int) -> list[str]:
    """Return the names of `count` devices; the second is as long as a name may be."""
    names = [f"door{number:03}" for number in range(count)]
    return [*names[:1], LONG_NAME, *names[2:]] if count > 1 else names


def fill_history(path: Path, alerts: int, names: Sequence[str]) -> None:
    """Write a year of alerts, each with start and end event, into the dashboard's tables."""
    open_database(f"sqlite:///{path}").dispose()
    now_s, step_s = time.time(), 364.5 * DAY_S / max(1, alerts)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA synchronous=OFF")
        counts: dict[tuple[int, str], int] = {}

        def alert_rows() -> Iterator[dict[str, Any]]:
            for number in range(alerts):
                at_s = now_s - number * step_s
                name = names[number * 7919 % len(names)]
                key = (int(at_s // 3600), name)
                counts[key] = counts.get(key, 0) + 1
                ended_s = at_s + ALERT["duration_s"]
                yield {
                    **ALERT, "episode": episode(name), "device": name, "started_s": at_s,
                    "ended_s": ended_s, "updated_s": ended_s,
                }  # fmt: skip

        columns = (*ALERT, "episode", "device", "started_s", "ended_s", "updated_s")
        db.executemany(
            f"INSERT INTO alerts ({','.join(columns)})"
            f" VALUES ({','.join(f':{column}' for column in columns)})",
            alert_rows(),
        )
        for kind, shift in (("start", 1), ("end", 0)):
            db.execute(
                "INSERT INTO events SELECT episode, ?, device, 2 * rowid - ?, started_s"
                " FROM alerts",
                (f"no_mask_{kind}", shift),
            )
        db.executemany(
            "INSERT INTO hourly VALUES (?, ?, 'no_mask', ?)",
            [(name, hour, count) for (hour, name), count in counts.items()],
        )
        db.execute(
            "INSERT INTO daily SELECT hour / 24, device, label, sum(alerts) FROM hourly"
            " GROUP BY 1, 2, 3"
        )
        db.execute("INSERT INTO totals SELECT hour, label, sum(alerts) FROM hourly GROUP BY 1, 2")
        for name in names:
            db.execute("INSERT INTO devices VALUES (?, 1, 1, 0, ?, ?, NULL)", (name, now_s, now_s))


def health_of(number: int) -> dict[str, Any]:
    """Return the health report of device `number`: some devices have trouble."""
    stalled = number % 50 == 1
    return {
        "camera": "stalled" if stalled else "ok", "fps": 0.4 if stalled else 9.9,
        "frame_age_s": 12.3 if stalled else 0.1, "memory_mb": 94 + number % 7,
        "temperature_c": 83 if number % 100 == 4 else 52 + number % 12, "outbox_depth": 0,
        "events_dropped": 0, "restarts": number % 3, "stages_ms": {"frame": {"p50": 31, "p95": 48}},
        "warnings": ["camera: no picture for 12 s; opening it again"] if stalled else [],
    }  # fmt: skip


class SimulatedSite:
    """Devices that publish over one connection to the broker; `alert` is an ongoing alert."""

    def __init__(self, broker: Broker, names: Sequence[str]) -> None:
        self.names = names
        self.alert: dict[str, Any] = {}
        self._sequences = dict.fromkeys(names, 1)  # the last ones of `fill_history`
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.max_queued_messages_set(0)
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()

    def publish_all(self, dashboard: Dashboard) -> None:
        """Publish the state of each device, and an alert of the first one.

        Return when the dashboard has received everything.
        """
        self.publish_states()
        if self.names:
            self.start_alert()
        wait_until(lambda: self._is_shown(dashboard), "the devices on the page")

    def publish_states(self) -> None:
        """Publish the state of each device; after a while without it, they do not respond."""
        for number, name in enumerate(self.names):
            # The status comes last: `offline` after it would make the device silent.
            state = {"no_mask": number == 0, "people": number % 3, "paused": number % 60 == 3}
            if number % 9 == 4:
                info = {"title": "Haupteingang Süd", "version": "1.0.0", "machine": "aarch64"}
                self.publish(name, "info", info)
            self.publish(name, "state", {**state, "since": iso_utc(time.time())})
            self.publish(name, "health", health_of(number))
            self.publish(name, "status", b"offline" if number % 40 == 2 else b"online")

    def start_alert(self, device: str = "") -> dict[str, Any]:
        """Publish the start of an alert, by default of the first device."""
        device = device or self.names[0]
        self._sequences[device] += 1
        self.alert = start(device, self._sequences[device], time.time())
        self.publish(device, "events", self.alert)
        return self.alert

    def publish(self, name: str, leaf: str, body: Any) -> None:
        text = body if isinstance(body, bytes) else encoded(body)
        self._client.publish(f"maskpatrol/{name}/{leaf}", text, qos=1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _is_shown(self, dashboard: Dashboard) -> bool:
        message = dashboard.live_message()
        devices = {row["device"]: row for row in message.get("devices", [])}
        last = devices.get(self.names[-1], {}) if self.names else {"condition": "online"}
        episodes = {alert["episode"] for alert in message.get("alerts", [])}
        return (
            len(devices) == len(self.names)
            and last["condition"] != "unknown"
            and self.alert.get("id") in {*episodes, None}
        )
