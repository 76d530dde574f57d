"""A dashboard that is killed again and again stores each event once."""

from __future__ import annotations

import random
import signal
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from edge.dashboard.history.database import open_database
from edge.dashboard.history.tables import events
from tests.support.dashboard.dashboards import Dashboard, Device
from tests.support.mqtt.brokers import Mosquitto
from tests.support.waiting import wait_until


@pytest.mark.parametrize("times", [3, pytest.param(25, marks=pytest.mark.soak)])
def test_killed_dashboard_stores_each_event_once(tmp_path: Path, times: int) -> None:
    chance = random.Random(times)
    # By default the broker drops events that wait for the dashboard beyond the first thousand.
    server = Mosquitto(tmp_path, persistent=True, more=("max_queued_messages 0",)).start()
    # The broker queues events for the dashboard from its first connection on.
    dashboard = Dashboard(tmp_path, server.port).start().wait_connected()
    database = f"sqlite:///{next(dashboard.state.rglob('dashboard.sqlite3'))}"
    device, sent, done = Device(server.broker), list[str](), threading.Event()

    def visits() -> None:
        while not done.wait(0.01):  # a hundred visits a second
            alert = device.start_alert()
            device.end_alert(alert)
            sent.append(alert["id"])

    visitors = threading.Thread(target=visits)
    visitors.start()
    try:
        for _ in range(times):
            goal = len(sent) + chance.randrange(5, 60)
            wait_until(lambda goal=goal: len(sent) >= goal, "visits")  # type: ignore[misc]
            assert dashboard.stop(signal.SIGKILL) == -signal.SIGKILL
            dashboard.start()
    finally:  # a thread that continued would keep pytest from ending
        done.set()
        visitors.join()
    device.close()
    engine = open_database(database)

    def stored() -> list[tuple[str, int]]:
        with engine.connect() as db:
            return [
                (row[0], row[1]) for row in db.execute(sa.select(events.c.episode, events.c.seq))
            ]

    # On a slow machine, the queue is long at the end.
    while (count := len(stored())) < 2 * len(sent):
        wait_until(lambda count=count: len(stored()) > count, "a queued event")  # type: ignore[misc]
    assert dashboard.stop() == 0
    assert sorted(seq for _, seq in stored()) == list(range(1, 2 * len(sent) + 1))
    assert {episode for episode, _ in stored()} == set(sent)
    assert "Traceback" not in dashboard.log()
    engine.dispose()
    server.stop()
