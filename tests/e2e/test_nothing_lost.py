"""Every committed event arrives, although brokers are restarted and processes are killed."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.camera.mjpeg_server import MjpegCamera
from tests.support.cli_process import mask_patrol, start_mask_patrol
from tests.support.footage.pictures import write_clip
from tests.support.footage.visit_clip import BARE_S, EMPTY_S, FAST_ALERTS, frame_at
from tests.support.mqtt.brokers import Mosquitto, PersistentSubscriber
from tests.support.waiting import wait_until

short_and_long = pytest.mark.parametrize(
    "times",
    [
        4,
        pytest.param(20, marks=pytest.mark.soak),
    ],
)


class Device:
    """A daemon's files, and its camera, before which a person without a mask comes and goes.

    The test moves the person after it has seen the event of the last move, so it waits for a slow
    machine. There, further alerts can start and end while the person stands still.
    """

    def __init__(self, folder: Path, broker: Mosquitto, camera: MjpegCamera) -> None:
        self.folder = folder
        self.written_to = folder / "events.jsonl"
        self._camera = camera
        self._empty = write_clip(folder / "empty.mp4", [90] * 10)
        self._config = folder / "door.toml"
        self._config.write_text(
            f'device = "door1"\n[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\n{FAST_ALERTS}'
        )

    def start(self) -> subprocess.Popen[str]:
        return start_mask_patrol(
            self.folder, "run", "--config", self._config, "--source", self._camera.url,
            "--events", self.written_to, "--log-level", "error",
        )  # fmt: skip

    def show_person(self) -> None:
        self._camera.show([frame_at(BARE_S)])

    def show_empty_hall(self) -> None:
        self._camera.show([frame_at(EMPTY_S)])

    def visit(self) -> None:
        """Let a person come and go, and wait until both events are written."""
        self.come()
        self.show_empty_hall()
        wait_until(lambda: not self.is_alert_running(), "the end of the alert")

    def come(self) -> None:
        """Let a person come, and wait until the alert is written."""
        before = len(self.written())
        self.show_person()
        wait_until(
            lambda: len(self.written()) > before and self.is_alert_running(), "a running alert"
        )

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


@pytest.fixture
def camera() -> Iterator[MjpegCamera]:
    with MjpegCamera([frame_at(EMPTY_S)]) as server:
        yield server


@short_and_long
def test_broker_restarts_lose_nothing(tmp_path: Path, times: int, camera: MjpegCamera) -> None:
    chance = random.Random(times)
    server = Mosquitto(tmp_path, persistent=True).start()
    device = Device(tmp_path, server, camera)
    listener = PersistentSubscriber(server.broker)
    daemon = device.start()
    visits, ended = 0, threading.Event()

    def restart_broker() -> None:
        try:
            for _ in range(times):
                pause(chance, 0.2, 2.0)
                server.stop()
                pause(chance, 0.1, 1.0)
                server.start()
        finally:
            ended.set()

    restarts = threading.Thread(target=restart_broker)
    restarts.start()
    while not ended.is_set() or not visits:
        device.visit()
        visits += 1
    restarts.join()
    daemon.terminate()
    _, errors = daemon.communicate(timeout=300)
    assert "Traceback" not in errors
    assert daemon.returncode in (0, 3)
    listener.wait_until_subscribed()
    device.deliver_remaining_events()
    assert_nothing_lost(device, listener)
    assert len(listener.distinct()) == len(device.written()) >= 2 * visits
    listener.close()
    server.stop()


def test_removed_outbox_loses_nothing(tmp_path: Path, camera: MjpegCamera) -> None:
    """No broker runs; the outbox's files are removed after some events, and the daemon is killed
    after more events."""
    server = Mosquitto(tmp_path, persistent=True).start()
    device = Device(tmp_path, server, camera)
    listener = PersistentSubscriber(server.broker)
    listener.wait_until_subscribed()
    server.stop()
    daemon = device.start()
    device.visit()
    device.visit()
    before = len(device.written())
    for path in tmp_path.glob("outbox.sqlite3*"):
        path.unlink()
    device.visit()
    device.visit()
    daemon.kill()
    daemon.communicate()
    server.start()
    device.deliver_remaining_events()
    assert len(device.written()) >= before + 4
    assert_nothing_lost(device, listener)
    listener.close()
    server.stop()


@pytest.mark.parametrize("kill_broker", [False, True])
@pytest.mark.parametrize(
    "times",
    [3, pytest.param(50, marks=pytest.mark.soak)],
)
def test_killed_daemon_loses_nothing(
    tmp_path: Path, times: int, kill_broker: bool, camera: MjpegCamera
) -> None:
    chance = random.Random(7 * times + kill_broker)
    server = Mosquitto(tmp_path, persistent=True).start()
    device = Device(tmp_path, server, camera)
    listener = PersistentSubscriber(server.broker)
    for number in range(times):
        device.show_empty_hall()
        daemon = device.start()
        # The first kill is during an alert, every second one after new events, and the others are
        # at any moment, even before the daemon has started.
        if number == 0:
            device.come()
        elif number % 2:
            device.visit()
        device.show_person()
        pause(chance, 0.0, 3.0)
        if kill_broker:
            server.stop(signal.SIGKILL)
        daemon.send_signal(signal.SIGKILL)
        daemon.communicate()
        if kill_broker:
            wait_until(lambda: not listener.subscribed.is_set(), "the lost connection")
            server.start()
            listener.wait_until_subscribed()
    device.deliver_remaining_events()
    assert len(device.written()) >= 2 * (times // 2)
    assert_nothing_lost(device, listener)
    # The next start ends the alerts that were running when the daemon was killed.
    kinds = Counter(kind for _, _, kind in listener.distinct())
    assert kinds["no_mask_start"] == kinds["no_mask_end"]
    assert any(event["ended_by"] == "shutdown" for event in listener.events)
    listener.close()
    server.stop()
