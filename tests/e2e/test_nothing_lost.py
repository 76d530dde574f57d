"""Every committed event arrives, although brokers are restarted and processes are killed."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import threading
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli_process import mask_patrol, start_mask_patrol
from tests.support.footage.pictures import write_clip
from tests.support.footage.visit_clip import FAST_ALERTS, write_visits
from tests.support.mqtt.brokers import Mosquitto, PersistentSubscriber
from tests.support.waiting import wait_until

short_and_long = pytest.mark.parametrize(
    "times",
    [
        4,
        pytest.param(20, marks=[pytest.mark.soak, pytest.mark.timeout(600)]),
    ],
)


class Device:
    """A daemon's files: its state, configuration, clips, and the events that it wrote."""

    def __init__(self, folder: Path, broker: Mosquitto, visits: int) -> None:
        self.folder = folder
        self.written_to = folder / "events.jsonl"
        self._clip = write_visits(folder / "visits.mp4", visits)
        self._empty = write_clip(folder / "empty.mp4", [90] * 10)
        self._config = folder / "door.toml"
        self._config.write_text(
            f'device = "door1"\n[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\n{FAST_ALERTS}'
        )

    def start(self) -> subprocess.Popen[str]:
        return start_mask_patrol(
            self.folder, "run", "--config", self._config, "--source", self._clip,
            "--events", self.written_to, "--log-level", "error",
        )  # fmt: skip

    def deliver_remaining_events(self) -> None:
        """Run the daemon on an empty scene until the outbox is empty."""
        for _ in range(5):
            result = mask_patrol(
                self.folder, "run", "--config", self._config, "--source", self._empty
            )
            assert "Traceback" not in result.stderr
            if result.returncode == 0:
                return
        raise AssertionError("the outbox is not delivered although the broker is running")

    def is_alert_running(self) -> bool:
        return [event["event_type"] for event in self.written()[-1:]] == ["no_mask_start"]

    def has_written_more_than(self, count: int) -> bool:
        return len(self.written()) > count

    def written(self) -> list[dict[str, Any]]:
        """Return every event that is known to have been committed to the outbox."""
        if not self.written_to.exists():
            return []
        return [json.loads(line) for line in self.written_to.read_text().splitlines()]


def assert_nothing_lost(device: Device, listener: PersistentSubscriber) -> None:
    written = {(e["seq"], e["id"], e["event_type"]) for e in device.written()}
    wait_until(lambda: written <= set(listener.distinct()), "every written event")
    arrived = listener.distinct()
    # A duplicate has the sequence number of its original, so each number belongs to one event.
    assert [seq for seq, _, _ in arrived] == list(range(1, len(arrived) + 1))
    assert len({(alert, kind) for _, alert, kind in arrived}) == len(arrived)


def pause(chance: random.Random, min_s: float, max_s: float) -> None:
    threading.Event().wait(chance.uniform(min_s, max_s))


@short_and_long
def test_broker_restarts_lose_nothing(tmp_path: Path, times: int) -> None:
    chance = random.Random(times)
    server = Mosquitto(tmp_path, persistent=True).start()
    device = Device(tmp_path, server, visits=5 * times)
    listener = PersistentSubscriber(server.broker)
    daemon = device.start()
    for _ in range(times):
        pause(chance, 0.2, 2.0)
        server.stop()
        pause(chance, 0.1, 1.0)
        server.start()
    _, errors = daemon.communicate(timeout=300)
    assert "Traceback" not in errors
    assert daemon.returncode in (0, 3)
    listener.wait_until_subscribed()
    device.deliver_remaining_events()
    assert len(device.written()) == 10 * times
    assert_nothing_lost(device, listener)
    assert len(listener.distinct()) == 10 * times
    listener.close()
    server.stop()


def test_removed_outbox_loses_nothing(tmp_path: Path) -> None:
    """No broker runs; the outbox's files are removed after some events, and the daemon is killed
    after more events."""
    server = Mosquitto(tmp_path, persistent=True).start()
    device = Device(tmp_path, server, visits=20)
    listener = PersistentSubscriber(server.broker)
    listener.wait_until_subscribed()
    server.stop()
    daemon = device.start()
    wait_until(partial(device.has_written_more_than, 3), "events before the removal")
    for path in tmp_path.glob("outbox.sqlite3*"):
        path.unlink()
    before = len(device.written())
    wait_until(partial(device.has_written_more_than, before + 3), "events after the removal")
    daemon.kill()
    daemon.communicate()
    server.start()
    device.deliver_remaining_events()
    assert len(device.written()) > before + 3
    assert_nothing_lost(device, listener)
    listener.close()
    server.stop()


@pytest.mark.parametrize("kill_broker", [False, True])
@pytest.mark.parametrize(
    "times",
    [3, pytest.param(50, marks=[pytest.mark.soak, pytest.mark.timeout(900)])],
)
def test_killed_daemon_loses_nothing(tmp_path: Path, times: int, kill_broker: bool) -> None:
    chance = random.Random(7 * times + kill_broker)
    server = Mosquitto(tmp_path, persistent=True).start()
    device = Device(tmp_path, server, visits=20)
    listener = PersistentSubscriber(server.broker)
    for number in range(times):
        before = len(device.written())
        daemon = device.start()
        pause(chance, 1.0, 4.0)
        # Even if this machine is slow, kill the daemon at least once during an alert, and every
        # second time after it has written a new event.
        if number == 0:
            wait_until(device.is_alert_running, "a running alert")
        elif number % 2:
            wait_until(partial(device.has_written_more_than, before), "another event")
        if kill_broker:
            server.stop(signal.SIGKILL)
        daemon.send_signal(signal.SIGKILL)
        daemon.communicate()
        if kill_broker:
            wait_until(lambda: not listener.subscribed.is_set(), "the lost connection")
            server.start()
            listener.wait_until_subscribed()
    device.deliver_remaining_events()
    assert len(device.written()) > times // 2
    assert_nothing_lost(device, listener)
    # The next start ends the alerts that were running when the daemon was killed.
    kinds = Counter(kind for _, _, kind in listener.distinct())
    assert kinds["no_mask_start"] == kinds["no_mask_end"]
    assert any(event["ended_by"] == "shutdown" for event in listener.events)
    listener.close()
    server.stop()
