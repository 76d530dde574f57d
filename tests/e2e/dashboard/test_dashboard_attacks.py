"""Attacks on the log-in page and on connections, while devices report alerts."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.dashboard.access.connection_limits import MAX_CONNECTIONS_PER_ADDRESS
from edge.dashboard.access.password import Password
from tests.support.dashboard.attacks import (
    OpenConnections,
    loopback_addresses,
    send_wrong_passwords,
)
from tests.support.dashboard.dashboards import Dashboard, Device, first_live_message
from tests.support.dashboard.http_client import PASSWORD, BrowserClient
from tests.support.memory_limit import memory_limit, memory_max
from tests.support.mqtt.brokers import Mosquitto
from tests.support.waiting import wait_until

ATTACKERS = loopback_addresses(20)
#: The address of a user, from which no attack comes.
USER = "127.0.0.2"
ALERTS = 20


@contextmanager
def protected_dashboard(
    folder: Path, server: Mosquitto, prepare: Callable[[], None] | None = None
) -> Iterator[Dashboard]:
    """Run a dashboard that asks for `PASSWORD` and is connected to the broker.

    Fails if the dashboard has ended by itself or has logged a traceback.
    """
    running = Dashboard(folder, server.port, needs_password=True, prepare=prepare)
    Password(running.state / "dashboard-password").set(PASSWORD)
    running.start()
    cookie = logged_in(running).cookie
    wait_until(
        lambda: first_live_message(f"127.0.0.1:{running.port}", cookie)["link"]["connected"],
        "the broker",
    )
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.log()


def logged_in(dashboard: Dashboard, source: str = USER) -> BrowserClient:
    client = BrowserClient(dashboard.port, source=source)
    assert client.log_in() == 303
    return client


def stored_alerts(dashboard: Dashboard) -> int:
    with sqlite3.connect(dashboard.state / "dashboard.sqlite3", timeout=30) as db:
        return int(db.execute("SELECT count(*) FROM events").fetchone()[0])


def test_password_storm_at_the_memory_limit(
    tmp_path: Path, mosquitto: Mosquitto, device: Device
) -> None:
    limit_bytes = memory_max("mask-patrol-dashboard.service")
    with (
        memory_limit(limit_bytes) as prepare,
        protected_dashboard(tmp_path, mosquitto, prepare) as dashboard,
    ):
        known = logged_in(dashboard)
        pid = dashboard.pid
        statuses = send_wrong_passwords(dashboard.port, ATTACKERS, 6)
        for _ in range(ALERTS):
            device.start_alert()
        assert set(statuses) == {403, 429}
        assert logged_in(dashboard, "127.0.0.3").request("GET", "/history").status == 200
        assert known.request("GET", "/history").status == 200
        assert known.log_in() == 303
        wait_until(lambda: stored_alerts(dashboard) == ALERTS, "all alerts in the history")
        assert dashboard.pid == pid
        assert dashboard.memory_mb("VmHWM") * 2**20 < limit_bytes


@pytest.mark.parametrize(
    "first", [b"", b"GET /login HTTP/1.1\r\nhost: "], ids=["nothing", "part of a request"]
)
def test_silent_connections_keep_nobody_out(
    tmp_path: Path, mosquitto: Mosquitto, device: Device, first: bytes
) -> None:
    with protected_dashboard(tmp_path, mosquitto) as dashboard:
        known = logged_in(dashboard)
        with OpenConnections(dashboard.port, ATTACKERS, MAX_CONNECTIONS_PER_ADDRESS, first):
            for _ in range(ALERTS):
                device.start_alert()
            for _ in range(20):
                assert known.request("GET", "/history").status == 200
            assert logged_in(dashboard, "127.0.0.3").request("GET", "/").status == 200
            assert logged_in(dashboard, ATTACKERS[0]).request("GET", "/").status == 200
            wait_until(lambda: stored_alerts(dashboard) == ALERTS, "all alerts in the history")
