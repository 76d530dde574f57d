"""Dashboards that are killed while they deliver: each rule's message arrives once."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from edge.common.clock import iso_utc
from edge.dashboard.history.database import open_database
from edge.dashboard.history.tables import alerts, notifications
from tests.support.dashboard.dashboards import Dashboard, Device
from tests.support.dashboard.postgres import Postgres, why_no_postgres
from tests.support.dashboard.receivers import HttpReceiver, notify_rule
from tests.support.mqtt.brokers import Mosquitto
from tests.support.waiting import wait_until


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database; that of a real server for `postgresql`."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/shared.sqlite3"
        return
    if why := why_no_postgres():
        pytest.skip(why)
    with Postgres() as server:
        yield server.address


@pytest.mark.parametrize(
    ("database", "dashboards", "per_minute", "down_s", "kills"),
    [
        ("sqlite", 1, 3000, 1.0, 2),
        pytest.param("postgresql", 2, 1000, 60.0, 20, marks=pytest.mark.soak),
        pytest.param("postgresql", 2, 1000, 600.0, 20, marks=[
            pytest.mark.soak, pytest.mark.timeout(3600)]),
    ],
    indirect=["database"],
)  # fmt: skip
def test_each_message_arrives_once(
    tmp_path: Path, database: str, dashboards: int, per_minute: int, down_s: float, kills: int
) -> None:
    chance = random.Random(kills)
    broker = Mosquitto(tmp_path, persistent=True, more=("max_queued_messages 0",)).start()
    # The receiver is down at first, and back for the second half of the kills.
    with HttpReceiver("fails") as one, HttpReceiver("fails") as other:
        settings = f'database = "{database}"\nshared = "halls"\n' + "".join(
            notify_rule(tmp_path, name, receiver.address, max_age_min=10_080)
            for name, receiver in (("one", one), ("other", other))
        )
        running = []
        for number in range(dashboards):
            folder = tmp_path / str(number)
            folder.mkdir()
            running.append(Dashboard(folder, broker.port, settings).start().wait_connected())
        device, sent, done = Device(broker.broker), list[str](), threading.Event()

        first_s = time.time()

        def visits() -> None:
            # Messages name the second of their alert, so they differ.
            while not done.wait(60.0 / per_minute):
                sent.append(device.start_alert(time=iso_utc(first_s - len(sent)))["id"])

        visitors = threading.Thread(target=visits)
        visitors.start()
        tick = threading.Event()
        try:
            began_s = time.monotonic()
            for number in range(kills):
                if number == kills // 2:
                    tick.wait(max(0.0, down_s - (time.monotonic() - began_s)))
                    one.behaviour = other.behaviour = "accepts"
                goal = len(sent) + chance.randrange(5, 30)
                wait_until(lambda goal=goal: len(sent) >= goal, "alerts")  # type: ignore[misc]
                victim = chance.choice(running)
                assert victim.stop(signal.SIGKILL) == -signal.SIGKILL
                victim.start()
        finally:  # a thread that continued would keep pytest from ending
            done.set()
            visitors.join()
        device.close()
        engine = open_database(database)

        def left() -> int:
            # Delivered notifications cannot be counted here: only the newest are kept.
            open_rows = notifications.c.state.in_(("waiting", "queued"))
            with engine.connect() as db:
                stored = db.scalar(sa.select(sa.func.count()).select_from(alerts)) or 0
                waiting = db.scalar(sa.select(sa.func.count()).where(open_rows)) or 0
            return len(sent) - stored + waiting

        while (before := left()) > 0:
            wait_until(lambda before=before: left() < before, "a delivery", 120.0)  # type: ignore[misc]
        for dashboard in running:
            assert dashboard.stop() == 0
            assert "Traceback" not in dashboard.log()
        engine.dispose()
        for receiver in (one, other):
            assert Counter(receiver.bodies).most_common(1)[0][1] == 1
            assert len(receiver.bodies) == len(sent)
        print(f"{len(sent)} alerts, {len(one.requests)} + {len(other.requests)} requests")
    broker.stop()
