"""The dashboard with access rules, TLS, a shared subscription, MQTT 3.1.1, an embedded broker."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
import sqlalchemy as sa
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from edge import __version__
from edge.dashboard.history.database import open_database
from edge.dashboard.history.tables import events
from edge.dashboard.ingest.validation import LEAVES
from edge.dashboard.pages.page_context import DASHBOARD_FOLDER
from edge.mqtt.broker import Broker
from edge.mqtt.tls import Tls
from tests.support.cli_process import command, environment, mask_patrol
from tests.support.dashboard.dashboards import Dashboard, first_live_message
from tests.support.dashboard.events import encoded, start
from tests.support.dashboard.http_client import BrowserClient
from tests.support.dashboard.postgres import Postgres, why_no_postgres
from tests.support.mqtt.answers import DENIED, client_of, publish_reason
from tests.support.mqtt.brokers import Mosquitto, Subscriber
from tests.support.mqtt.certificates import Authority
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_S, wait_until

USERS = {"door1": "one", "door2": "two", "dashboard": "three", "homeassistant": "four"}


class RestrictedMosquitto(Mosquitto):
    """A broker with the example configuration and access rules, but with other paths and port."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        super().__init__(folder)
        pair, users, rules = authority.issue_for_broker(), folder / "passwd", folder / "acl"
        for name, password in USERS.items():
            create = [] if users.exists() else ["-c"]
            subprocess.run(["mosquitto_passwd", "-b", *create, users, name, password], check=True)
        users.chmod(0o644)
        rules.write_text((DASHBOARD_FOLDER / "mosquitto" / "mask-patrol.acl").read_text())
        text = (DASHBOARD_FOLDER / "mosquitto" / "mosquitto.conf").read_text()
        for original, replacement in (
            ("listener 8883", f"listener {self.port} 127.0.0.1"),
            ("/etc/mosquitto/mask-patrol/broker.crt", str(pair.cert)),
            ("/etc/mosquitto/mask-patrol/broker.key", str(pair.key)),
            ("/etc/mosquitto/mask-patrol/passwd", str(users)),
            ("/etc/mosquitto/mask-patrol/acl", str(rules)),
        ):
            assert original in text
            text = text.replace(original, replacement)
        self.log = folder / "broker.log"
        text += f"persistence_location {folder}/\nlog_dest file {self.log}\n"
        self._config.write_text(text + ("user root\n" if os.geteuid() == 0 else ""))
        self.tls = Tls(ca=authority.pair.cert)

    def as_user(self, name: str) -> Broker:
        return Broker("127.0.0.1", self.port, name, USERS[name], tls=self.tls)

    def users(self, client_id: str) -> list[str]:
        """Return the users of the connections whose client identifier starts with `client_id`."""
        text = self.log.read_text()
        return re.findall(rf"New client connected from \S+ as {client_id}\S* .*u'(\w+)'", text)


@pytest.fixture
def restricted(tmp_path: Path, authority: Authority) -> Iterator[RestrictedMosquitto]:
    server = RestrictedMosquitto(tmp_path, authority)
    server.start()
    yield server
    server.stop()


def test_example_rules_restrict_publishing(
    restricted: RestrictedMosquitto,
) -> None:
    for user, topic in (
        ("door1", "maskpatrol/door1/events"),
        ("door1", "homeassistant/device/mask-patrol-door1/config"),
        ("homeassistant", "maskpatrol/door1/cmd/pause"),
    ):
        # Reason code 16: the broker accepted the message, but no client subscribes to the topic.
        assert publish_reason(restricted.as_user(user), topic) in (0, 16), (user, topic)
    for user, topic in (
        ("door1", "maskpatrol/door2/events"),
        ("door1", "maskpatrol/door2/cmd/pause"),
        ("door1", "homeassistant/device/mask-patrol-door2/config"),
        *(
            ("dashboard", f"maskpatrol/door1/{leaf}")
            for leaf in (*LEAVES, "cmd/pause", "reply/ping")
        ),
        *(("dashboard", f"maskpatrol/dashboard/{leaf}") for leaf in (*LEAVES, "cmd/pause")),
        ("dashboard", "homeassistant/device/mask-patrol-dashboard/config"),
        ("homeassistant", "maskpatrol/door1/events"),
    ):
        assert publish_reason(restricted.as_user(user), topic) == DENIED, (user, topic)


def leave_will(broker: Broker, topic: str, payload: bytes) -> None:
    """Make the broker publish the will of a connection."""
    client, ended = client_of(broker), threading.Event()
    client.will_set(topic, payload, qos=1)
    with_will = ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message")
    client.on_connect = lambda c, *_: c.disconnect(with_will)
    client.on_disconnect = lambda *_: ended.set()
    client.connect(broker.host, broker.port)
    client.loop_start()
    assert ended.wait(PATIENCE_S)
    client.loop_stop()


def test_dashboard_account_cannot_publish_a_will(restricted: RestrictedMosquitto) -> None:
    topic = "maskpatrol/door1/status"
    subscriber = Subscriber(restricted.as_user("homeassistant"), topic)
    leave_will(restricted.as_user("dashboard"), topic, b"by the dashboard")
    leave_will(restricted.as_user("door1"), topic, b"by the device")
    subscriber.wait_for(lambda: bool(subscriber.messages), "the will of the device")
    assert subscriber.bodies("status") == ["by the device"]
    subscriber.close()


def test_dashboard_account_reads_only_what_pages_show(restricted: RestrictedMosquitto) -> None:
    subscriber = Subscriber(restricted.as_user("dashboard"))
    door = restricted.as_user("door1")
    for leaf in ("cmd/pause", "reply/ping", *LEAVES):
        publish_reason(door, f"maskpatrol/door1/{leaf}")
    subscriber.wait_for(lambda: len(subscriber.messages) >= len(LEAVES), "all messages")
    assert [m.topic for m in subscriber.messages] == [f"maskpatrol/door1/{leaf}" for leaf in LEAVES]
    subscriber.close()


def write_accounts(folder: Path, restricted: RestrictedMosquitto, authority: Authority) -> str:
    """Return `[mqtt]` of a configuration with the account of `door1`; write all passwords."""
    for user, password in USERS.items():
        (folder / f"{user}.secret").write_text(password)
    return (
        f'[mqtt]\nhost = "127.0.0.1"\nport = {restricted.port}\ntls = true\n'
        f'ca_file = "{authority.pair.cert}"\nusername = "door1"\n'
        f'password_file = "{folder}/door1.secret"\n'
    )


def test_daemon_and_dashboard_with_one_configuration_have_two_accounts(
    restricted: RestrictedMosquitto, tmp_path: Path, authority: Authority
) -> None:
    dashboard = Dashboard(tmp_path, restricted.port)
    dashboard.config.write_text(
        'device = "door1"\n' + write_accounts(tmp_path, restricted, authority) + "[dashboard]\n"
        f'password_on_loopback = false\nmqtt_username = "dashboard"\n'
        f'mqtt_password_file = "{tmp_path}/dashboard.secret"\n'
    )
    dashboard.start()
    result = mask_patrol(tmp_path, "run", "--config", dashboard.config, "--pace", "fast")
    assert (result.returncode, result.stderr) == (0, "")
    wait_for_alerts(dashboard, 2)
    assert set(restricted.users("mask-patrol-door1")) == {"door1"}
    assert set(restricted.users("mask-patrol-dashboard")) == {"dashboard"}

    browser = BrowserClient(dashboard.port)
    for path in ("/", "/history", "/history.csv", "/health", "/health/door1", "/check"):
        assert browser.request("GET", path).status == 200, path
    live = dashboard.live_message()
    (row,) = live["devices"]
    assert (row["device"], row["condition"], row["people"]) == ("door1", "offline", 0)
    browser.request("GET", "/health/door1")
    assert f"version {__version__}".encode() in browser.body  # from `info`
    episodes = {"episodes": [live["alerts"][0]["episode"]]}
    acknowledged = urllib.request.Request(
        f"{dashboard.address}/alerts/acknowledge", json.dumps(episodes).encode(),
        {"origin": dashboard.address},
    )  # fmt: skip
    assert urllib.request.urlopen(acknowledged, timeout=20).status == 200
    assert browser.request("POST", "/health/door1/forget").status == 303
    assert dashboard.stop() == 0


def test_change_of_the_account_loses_no_event(
    restricted: RestrictedMosquitto, tmp_path: Path, authority: Authority
) -> None:
    """An updated dashboard uses the daemon's account until it is given its own."""
    dashboard = Dashboard(tmp_path, restricted.port)
    shared = write_accounts(tmp_path, restricted, authority)
    shared += "[dashboard]\npassword_on_loopback = false\n"
    dashboard.config.write_text(shared)
    door = restricted.as_user("door1")
    dashboard.start().wait_connected()
    publish_reason(door, "maskpatrol/door1/events", encoded(start(seq=1)))
    wait_for_alerts(dashboard, 1)
    dashboard.stop()
    publish_reason(door, "maskpatrol/door1/events", encoded(start(seq=2)))
    dashboard.config.write_text(
        f'{shared}mqtt_username = "dashboard"\nmqtt_password_file = "{tmp_path}/dashboard.secret"\n'
    )
    dashboard.start().wait_connected()
    publish_reason(door, "maskpatrol/door1/events", encoded(start(seq=3)))
    wait_for_alerts(dashboard, 3)
    assert restricted.users("mask-patrol-dashboard") == ["door1", "dashboard"]
    dashboard.stop()


def wait_for_alerts(dashboard: Dashboard, count: int) -> None:
    wait_until(lambda: len(dashboard.live_message().get("alerts", [])) == count, f"{count} alerts")


def assert_both_show_acknowledgements(one: Dashboard, two: Dashboard) -> None:
    """Acknowledge an alert at `one`, note something at `two`, and take it back at `one`."""
    episode = one.live_message()["alerts"][7]["episode"]

    def change(dashboard: Dashboard, path: str, **values: Any) -> Any:
        body = json.dumps({"episodes": [episode], **values}).encode()
        request = urllib.request.Request(f"{dashboard.address}/alerts/{path}", body)
        request.add_header("origin", dashboard.address)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def wait_for(name: str | None, note: str | None) -> None:
        for each in (one, two):
            wait_until(
                lambda each=each: (
                    (name, note)  # type: ignore[misc]
                    in [
                        (alert["acknowledged_by"], alert["note"])
                        for alert in each.live_message()["alerts"]
                        if alert["episode"] == episode
                    ]
                ),
                f"{name} and {note} are shown",
            )

    at_s = change(one, "acknowledge", name="Anna")["at_s"]
    wait_for("Anna", None)
    change(two, "note", note="was told")
    wait_for("Anna", "was told")
    change(one, "undo", at_s=at_s)
    wait_for(None, None)


def test_alerts_arrive_over_tls_with_a_password(
    restricted: RestrictedMosquitto, tmp_path: Path, authority: Authority
) -> None:
    def mqtt(user: str) -> str:
        secret = tmp_path / f"{user}.secret"
        secret.write_text(USERS[user])
        return (
            f'[mqtt]\nhost = "127.0.0.1"\nport = {restricted.port}\ntls = true\n'
            f'username = "{user}"\nca_file = "{authority.pair.cert}"\npassword_file = "{secret}"\n'
        )

    dashboard = Dashboard(tmp_path, restricted.port)
    dashboard.config.write_text(mqtt("dashboard") + "[dashboard]\npassword_on_loopback = false\n")
    dashboard.start()
    door = tmp_path / "door1.toml"
    door.write_text('device = "door1"\n' + mqtt("door1"))
    result = mask_patrol(tmp_path, "run", "--config", door, "--pace", "fast")
    assert (result.returncode, result.stderr) == (0, "")
    wait_for_alerts(dashboard, 2)
    dashboard.stop()
    assert not any(secret in dashboard.log() for secret in USERS.values() if len(secret) > 4)


def test_refused_login_is_shown(tmp_path: Path) -> None:
    server = Mosquitto(tmp_path, password="hush-hush").start()
    dashboard = Dashboard(tmp_path, server.port).start()
    wait_until(
        lambda: "refuses a client without" in dashboard.live_message()["link"]["why"],
        "the reason is shown",
    )
    assert dashboard.live_message()["link"]["connected"] is False
    dashboard.stop()
    server.stop()


@pytest.mark.skipif(bool(why_no_postgres()), reason=why_no_postgres() or "PostgreSQL can run")
def test_two_dashboards_share_the_events(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """The broker sends each event to one of the dashboards; both show all events.

    After one dashboard has stopped, the other dashboard receives the events.
    """
    with Postgres() as postgres:
        settings = f'database = "{postgres.address}"\nshared = "desks"\n'
        folders = [tmp_path / name for name in ("one", "two")]
        for folder in folders:
            folder.mkdir()
        both = [Dashboard(folder, mosquitto.port, settings).start() for folder in folders]
        for dashboard in both:
            dashboard.wait_connected()
        client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", mosquitto.port)
        client.loop_start()
        for seq in range(1, 61):
            client.publish("maskpatrol/door1/events", encoded(start(seq=seq)), qos=1)
        for dashboard in both:
            wait_for_alerts(dashboard, 60)
        assert_both_show_acknowledgements(*both)
        both[0].stop()
        client.publish("maskpatrol/door1/events", encoded(start(seq=61)), qos=1)
        wait_for_alerts(both[1], 61)
        both[1].stop()
        client.disconnect()
        client.loop_stop()
        engine = open_database(postgres.address)
        with engine.connect() as db:
            assert db.scalar(sa.select(sa.func.count()).select_from(events)) == 61
        engine.dispose()


@pytest.mark.skipif(bool(why_no_postgres()), reason=why_no_postgres() or "PostgreSQL can run")
def test_events_wait_while_the_database_is_down(tmp_path: Path, mosquitto: Mosquitto) -> None:
    with Postgres() as postgres:
        dashboard = Dashboard(tmp_path, mosquitto.port, f'database = "{postgres.address}"\n')
        dashboard.start()
        dashboard.wait_connected()
        client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", mosquitto.port)
        client.loop_start()
        postgres.stop()
        for seq in range(1, 31):
            client.publish("maskpatrol/door1/events", encoded(start(seq=seq)), qos=1)
        wait_until(
            lambda: "alerts cannot be stored" in dashboard.live_message()["link"]["disk"],
            "the error is shown",
        )
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(f"{dashboard.address}/history", timeout=20)
        postgres.start()
        wait_for_alerts(dashboard, 30)
        wait_until(lambda: not dashboard.live_message()["link"]["disk"], "the error is withdrawn")
        client.disconnect()
        client.loop_stop()
        dashboard.stop()


def test_broker_with_mqtt_3_1_1(tmp_path: Path, mosquitto: Mosquitto) -> None:
    dashboard = Dashboard(tmp_path, mosquitto.port)
    dashboard.config.write_text(
        dashboard.config.read_text().replace("[mqtt]\n", '[mqtt]\nversion = "3.1.1"\n')
    )
    dashboard.start()
    dashboard.wait_connected()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", mosquitto.port)
    client.loop_start()
    client.publish("maskpatrol/door1/events", encoded(start(seq=1)), qos=1).wait_for_publish(20)
    wait_for_alerts(dashboard, 1)
    dashboard.stop()
    client.publish("maskpatrol/door1/events", encoded(start(seq=2)), qos=1).wait_for_publish(20)
    dashboard.start()
    wait_for_alerts(dashboard, 2)
    assert len(dashboard.live_message()["alerts"]) == 2
    client.disconnect()
    client.loop_stop()
    dashboard.stop()


def test_demo_runs_alone_and_leaves_no_files(tmp_path: Path) -> None:
    port = free_port()
    demo = subprocess.Popen(
        command(("dashboard", "--demo", "--port", str(port))), text=True,
        env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"

    def alerts() -> int:
        try:
            return len(first_live_message(f"127.0.0.1:{port}").get("alerts", []))
        except OSError:
            return 0

    def body(path: str) -> bytes:
        try:
            with urllib.request.urlopen(address + path, timeout=10) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError:  # the daemon begins the clip again
            return b""

    try:
        wait_until(lambda: alerts() >= 1, "an alert of the demo clip is shown")
        for path in ("/", "/camera"):
            with urllib.request.urlopen(address + path, timeout=10) as answer:
                assert answer.status == 200
        wait_until(lambda: b'"picture"' in body("/camera/view"), "a picture of the camera")
        wait_until(
            lambda: b'src="/camera/snapshots/demo-door-' in body("/camera/snapshots"), "a snapshot"
        )
    finally:
        demo.terminate()
    out, errors = demo.communicate(timeout=30)
    assert (demo.returncode, errors) == (0, "")
    assert f"Dashboard: {address}" in out
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address, timeout=5)
