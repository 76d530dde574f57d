"""The dashboard with access rules, TLS, a shared subscription, MQTT 3.1.1, an embedded broker."""

from __future__ import annotations

import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
import sqlalchemy as sa
from paho.mqtt.enums import MQTTProtocolVersion

from edge.dashboard.history.database import open_database
from edge.dashboard.history.tables import events
from edge.dashboard.pages.page_context import DASHBOARD_FOLDER
from edge.mqtt.broker import Broker
from edge.mqtt.tls import Tls
from tests.support.cli_process import command, environment, mask_patrol
from tests.support.dashboard.dashboards import Dashboard, first_live_message
from tests.support.dashboard.events import encoded, start
from tests.support.dashboard.postgres import Postgres, why_no_postgres
from tests.support.mqtt.brokers import Mosquitto
from tests.support.mqtt.certificates import Authority
from tests.support.ports import free_port
from tests.support.waiting import wait_until

DENIED = 135
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
            ("/etc/mosquitto/certs/ca.crt", str(authority.pair.cert)),
            ("/etc/mosquitto/certs/broker.crt", str(pair.cert)),
            ("/etc/mosquitto/certs/broker.key", str(pair.key)),
            ("/etc/mosquitto/mask-patrol.passwd", str(users)),
            ("/etc/mosquitto/mask-patrol.acl", str(rules)),
            ("/var/lib/mosquitto/", f"{folder}/"),
        ):
            assert original in text
            text = text.replace(original, replacement)
        self._config.write_text(text + ("user root\n" if os.geteuid() == 0 else ""))
        self.tls = Tls(ca=authority.pair.cert)

    def as_user(self, name: str) -> Broker:
        return Broker("127.0.0.1", self.port, name, USERS[name], tls=self.tls)


def publish_reason(broker: Broker, topic: str) -> int:
    """Publish a message to `topic` and return the reason code of the broker's PUBACK."""
    reasons: list[int] = []
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.username_pw_set(broker.username, broker.password)
    assert broker.tls is not None
    client.tls_set_context(broker.tls.context())
    client.on_publish = lambda _c, _d, _m, reason, _p: reasons.append(reason.value)
    client.on_connect = lambda c, *_: c.publish(topic, b"x", qos=1)
    client.connect(broker.host, broker.port)
    client.loop_start()
    wait_until(lambda: bool(reasons), "the PUBACK")
    client.disconnect()
    client.loop_stop()
    return reasons[0]


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
        ("dashboard", "maskpatrol/door1/events"),
        ("dashboard", "maskpatrol/door1/cmd/pause"),
        ("dashboard", "maskpatrol/dashboard/events"),
        ("dashboard", "homeassistant/device/mask-patrol-dashboard/config"),
        ("homeassistant", "maskpatrol/door1/events"),
    ):
        assert publish_reason(restricted.as_user(user), topic) == DENIED, (user, topic)


def wait_for_alerts(dashboard: Dashboard, count: int) -> None:
    wait_until(lambda: len(dashboard.live_message().get("alerts", [])) == count, f"{count} alerts")


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

    try:
        wait_until(lambda: alerts() >= 1, "an alert of the demo clip is shown", 60)
        with urllib.request.urlopen(address, timeout=10) as answer:
            assert answer.status == 200
    finally:
        demo.terminate()
    out, errors = demo.communicate(timeout=30)
    assert (demo.returncode, errors) == (0, "")
    assert f"Dashboard: {address}" in out
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address, timeout=5)
