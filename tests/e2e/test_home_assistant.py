"""MQTT discovery and the documented automation in a real Home Assistant, if one is installed.

python3.13 -m venv ha && ha/bin/pip install homeassistant home-assistant-frontend paho-mqtt
HASS=ha/bin/hass pytest -m soak tests/e2e/test_home_assistant.py
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.camera.mjpeg_server import MjpegCamera
from tests.support.cli_process import ROOT, command, environment
from tests.support.footage.visit_clip import BARE_S, EMPTY_S, frame_at
from tests.support.mqtt.brokers import Mosquitto, Subscriber
from tests.support.mqtt.tcp_relay import Relay
from tests.support.ports import free_port
from tests.support.waiting import wait_until

pytestmark = pytest.mark.soak
START_S = 120.0
#: A notification service that replaces a telephone; it writes each message as a line of JSON.
NOTIFIER = """
import json
from homeassistant.components.notify import BaseNotificationService

def get_service(hass, config, discovery_info=None):
    return Notifier()

class Notifier(BaseNotificationService):
    def send_message(self, message="", **more):
        with open({path!r}, "a") as file:
            file.write(json.dumps(message) + "\\n")
"""


class HomeAssistant:
    """Home Assistant with MQTT, the documented automation, and a notification service."""

    def __init__(self, folder: Path, broker_port: int) -> None:
        found = os.environ.get("HASS") or shutil.which("hass")
        if not found:
            pytest.skip("Home Assistant is not installed: put hass on the path, or set $HASS")
        self._program, self._folder = Path(found).absolute(), folder / "ha"
        self._notifications = folder / "notifications"
        self._notifications.touch()
        readme = (ROOT / "edge" / "mqtt" / "README.md").read_text()
        automation = re.search(r"```yaml\n(automation:\n.*?)```", readme, re.DOTALL)
        assert automation is not None
        entry = {
            "created_at": "2026-01-01T00:00:00+00:00", "modified_at": "2026-01-01T00:00:00+00:00",
            "data": {"broker": "127.0.0.1", "port": broker_port}, "disabled_by": None,
            "discovery_keys": {}, "domain": "mqtt", "entry_id": "01JMASKPATROL", "options": {},
            "minor_version": 2, "pref_disable_new_entities": False,
            "pref_disable_polling": False, "source": "user", "subentries": [],
            "title": "broker", "unique_id": None, "version": 1,
        }  # fmt: skip
        for name, text in {
            "configuration.yaml": textwrap.dedent(
                f"""\
                homeassistant: {{name: Home, time_zone: UTC, unit_system: metric}}
                http: {{server_host: 127.0.0.1, server_port: {free_port()}}}
                frontend:
                notify: [{{platform: telephone}}]
                """
            )
            + automation[1],
            ".storage/core.config_entries": json.dumps(
                {
                    "version": 1, "minor_version": 5, "key": "core.config_entries",
                    "data": {"entries": [entry]},
                }
            ),
            "custom_components/telephone/__init__.py": "",
            "custom_components/telephone/manifest.json": json.dumps(
                {
                    "domain": "telephone", "name": "Telephone", "version": "1", "codeowners": [],
                    "dependencies": [], "documentation": "", "requirements": [],
                    "iot_class": "local_push",
                }
            ),
            "custom_components/telephone/notify.py": NOTIFIER.format(path=str(self._notifications)),
        }.items():  # fmt: skip
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    @contextmanager
    def running(self, listener: Subscriber) -> Iterator[None]:
        """Run Home Assistant; the block starts when Home Assistant has published `online`."""
        count = listener.bodies("status").count("online")
        log = self._folder / "log"
        with log.open("a") as file:
            process = subprocess.Popen(
                [self._program, "--config", self._folder, "--skip-pip"], stdout=file, stderr=file
            )
        try:
            wait_until(
                lambda: listener.bodies("status").count("online") > count,
                f"Home Assistant's birth, see {log}", START_S,
            )  # fmt: skip
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    @property
    def notifications(self) -> list[str]:
        return [json.loads(line) for line in self._notifications.read_text().splitlines()]


class DaemonAtCamera:
    """A daemon whose camera shows a person without a mask, or an empty scene."""

    def __init__(self, folder: Path, camera: MjpegCamera, broker_port: int) -> None:
        self._camera, self._written = camera, folder / "events"
        config = folder / "door.toml"
        config.write_text(
            f'device = "door1"\n[camera]\nsource = "{camera.url}"\n[mqtt]\nhost = "127.0.0.1"\n'
            f"port = {broker_port}\ndiscovery = true\nhealth_interval_s = 0.5\n"
            # An alert starts at once, and does not end if this machine is slow for a moment.
            "[events]\nmin_readings = 1\nconfirm_s = 0.0\n[tracker]\nleave_after_s = 3.0\n"
        )
        self.process = subprocess.Popen(
            command(("run", "--config", config, "--events", self._written)),
            env=environment(folder / "state"), stderr=(folder / "daemon.log").open("w"),
        )  # fmt: skip

    def enter(self) -> None:
        """Show a person without a mask until `leave` is called."""
        self._show(BARE_S, "no_mask_start")

    def leave(self) -> None:
        self._show(EMPTY_S, "no_mask_end")

    def visit(self) -> None:
        self.enter()
        self.leave()

    def _show(self, clip_s: float, kind: str) -> None:
        count = self._written_count(kind)
        self._camera.show([frame_at(clip_s)])
        wait_until(lambda: self._written_count(kind) > count, kind)

    def _written_count(self, kind: str) -> int:
        return self._written.read_text().count(kind) if self._written.exists() else 0


class House:
    """The broker, its subscribers, and a relay that simulates the network of the daemon."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "broker.log"
        self._log.touch()
        self._log.chmod(0o666)
        more = ("log_type subscribe", f"log_dest file {self._log}")
        self.broker = Mosquitto(folder, persistent=True, more=more).start()
        self.births = Subscriber(self.broker.broker, "homeassistant/status")
        self.subscriber = Subscriber(self.broker.broker)
        self.relay = Relay(self.broker.broker)
        self._subscribed = 0

    def wait_for_subscription(self) -> None:
        """Wait until Home Assistant has subscribed again, so that it misses no message."""
        wait_until(lambda: self._subscriptions() > self._subscribed, "the subscription", START_S)
        self._subscribed = self._subscriptions()

    def _subscriptions(self) -> int:
        lines = self._log.read_text().splitlines()
        leaves = ("events", "status")
        return min(sum(line.endswith(f" 1 maskpatrol/door1/{x}") for line in lines) for x in leaves)

    def starts(self) -> list[bool]:
        """Return the field `replayed` of each start event, in the order of arrival."""
        events = self.subscriber.bodies("events")
        return [event["replayed"] for event in events if event["event_type"] == "no_mask_start"]

    def wait_for_starts(self, count: int) -> None:
        self.subscriber.wait_for(lambda: len(self.starts()) == count, f"start {count}")

    def wait_for_live_health(self) -> None:
        """Wait for a new `health` message; a retained message that the broker stored is ignored."""

        def count() -> int:
            found = [m for m in self.subscriber.messages if m.topic.endswith("/health")]
            return sum(not message.retain for message in found)

        before = count()
        self.subscriber.wait_for(lambda: count() > before, "a report")

    def close(self) -> None:
        for listener in (self.births, self.subscriber):
            listener.close()
        self.relay.close()
        self.broker.stop()


def test_one_notification_for_each_new_alert(tmp_path: Path) -> None:
    house = House(tmp_path)
    home = HomeAssistant(tmp_path, house.broker.port)

    def notified(count: int) -> None:
        wait_until(lambda: len(home.notifications) >= count, f"notification {count}")
        assert home.notifications == ["Bare face at entrance"] * count

    with MjpegCamera([frame_at(EMPTY_S)]) as camera:
        with home.running(house.births):
            door = DaemonAtCamera(tmp_path, camera, house.relay.broker.port)
            house.wait_for_subscription()
            door.visit()
            notified(1)
            door.visit()
            notified(2)
            # An alert during a network failure is delivered late and causes no notification.
            house.relay.close_on(b"MQTT", 1000)
            house.relay.cut_connections()
            house.subscriber.wait_for_status("offline")
            door.visit()
            house.relay.close_on(b"MQTT", 0)
            house.wait_for_starts(3)
            door.visit()
            notified(3)
            # The acknowledgement of an event is lost, so the event is delivered twice.
            house.relay.drop_answers()
            door.enter()
            notified(4)
            house.relay.cut_connections()
            house.wait_for_starts(6)
            door.leave()
            door.enter()
            notified(5)
            # After a restart the broker sends all its retained messages again.
            house.broker.stop()
            house.broker.start()
            house.wait_for_subscription()
            house.wait_for_live_health()
            door.leave()
            door.enter()
            notified(6)
        with home.running(house.births):
            house.wait_for_subscription()
            door.leave()
            door.visit()
            notified(7)
    door.process.terminate()
    assert door.process.wait(30) == 0
    assert sorted(house.starts()) == [False] * 7 + [True] * 2
    house.close()
