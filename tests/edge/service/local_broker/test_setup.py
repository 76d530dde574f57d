"""The broker of `install.sh --broker here`: what it accepts, and how it is set up."""

from __future__ import annotations

import re
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from edge.common.errors import UsageError, UserError
from edge.common.machine_names import MachineNames
from edge.config.settings import load_settings
from edge.mqtt.payloads import Topics
from edge.mqtt.publisher import Publisher
from edge.outbox.outbox import Outbox
from edge.service.local_broker import accounts as broker_accounts
from edge.service.local_broker import setup as broker_setup
from edge.service.local_broker.mosquitto_service import MosquittoService
from edge.service.local_broker.root_file import write_file
from edge.service.local_broker.setup import BrokerSetup
from tests.support.mqtt.answers import (
    BAD_LOGIN,
    DENIED,
    client_of,
    connect_reason,
    is_accepted,
    publish_reason,
)
from tests.support.mqtt.brokers import Subscriber
from tests.support.mqtt.event_payloads import START
from tests.support.mqtt.local_broker import DEBIAN_CONF, MACHINE, LocalBroker
from tests.support.mqtt.tcp_relay import Relay
from tests.support.waiting import wait_until


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalBroker]:
    local = LocalBroker(tmp_path)
    yield local
    local.process.stop()


@pytest.fixture
def running(local: LocalBroker) -> LocalBroker:
    assert local.set_up() is True
    return local


@pytest.mark.slow
def test_each_door_delivers_below_its_own_name_alone(running: LocalBroker, tmp_path: Path) -> None:
    door1 = running.own(running.places.daemon_credentials)
    reader = Subscriber(running.own(running.places.dashboard_credentials), "maskpatrol/+/events")
    door2 = running.add("door2", "of door 2")
    wait_until(lambda: is_accepted(door2), "the new account")
    for broker in (door1, door2):
        outbox = Outbox(tmp_path / f"{broker.username}.sqlite3", 10)
        outbox.put({**START, "device": broker.username})
        publisher = Publisher(broker, Topics("maskpatrol", broker.username), outbox)
        publisher.start()
        wait_until(lambda outbox=outbox: outbox.depth() == 0, "the event is delivered")
        publisher.stop(5.0)
        outbox.close()
    reader.wait_for(lambda: len(reader.bodies("events")) == 2, "both events")
    assert [body["device"] for body in reader.bodies("events")] == ["door1", "door2"]
    for topic in ("maskpatrol/door1/events", "maskpatrol/door1/status", "maskpatrol/x", "x"):
        assert publish_reason(door2, topic) == DENIED
    assert publish_reason(door2, "homeassistant/device/mask-patrol-door1/config") == DENIED
    assert publish_reason(door2, "homeassistant/device/mask-patrol-door2/config") < DENIED
    own = running.own(running.places.dashboard_credentials)
    assert publish_reason(own, "maskpatrol/door1/status") == DENIED
    reader.close()


@pytest.mark.slow
def test_will_in_the_name_of_another_door_is_not_published(running: LocalBroker) -> None:
    reader = Subscriber(running.own(running.places.dashboard_credentials), "maskpatrol/+/status")
    door2 = running.add("door2", "of door 2")
    wait_until(lambda: is_accepted(door2), "the new account")
    for name in ("door1", "door2"):  # the will of door2 itself shows that the broker is done
        client = client_of(door2, "rogue")
        client.will_set(f"maskpatrol/{name}/status", "offline", qos=1)
        connected: list[int] = []
        client.on_connect = lambda *_, connected=connected: connected.append(1)
        client.connect(door2.host, door2.port)
        client.loop_start()
        wait_until(lambda connected=connected: bool(connected), "the connection")
        client.socket().close()  # without a DISCONNECT
        client.loop_stop()
    reader.wait_for(lambda: bool(reader.messages), "a will")
    assert [message.topic for message in reader.messages] == ["maskpatrol/door2/status"]
    reader.close()


@pytest.mark.slow
def test_client_without_an_account_is_refused(running: LocalBroker) -> None:
    own = running.own(running.places.daemon_credentials)
    assert connect_reason(own) == 0
    for name, password in (("", ""), ("door3", ""), ("door3", "x"), ("door1", "x"), ("door1", "")):
        assert connect_reason(running.broker(name, password)) in (DENIED, BAD_LOGIN)


@pytest.mark.slow
def test_removed_account_loses_its_connection(running: LocalBroker) -> None:
    door2 = running.add("door2", "of door 2")
    wait_until(lambda: is_accepted(door2), "the new account")
    lost: list[int] = []
    client = client_of(door2, "door2")
    client.on_disconnect = lambda *_: lost.append(1)
    subscribed: list[int] = []
    client.on_subscribe = lambda *_: subscribed.append(1)
    client.on_connect = lambda c, *_: c.subscribe("maskpatrol/door2/cmd/+")
    client.connect(door2.host, door2.port)
    client.loop_start()
    wait_until(lambda: bool(subscribed), "the subscription")
    running.accounts.remove("door2")
    running.process.reload()
    wait_until(lambda: bool(lost), "the end of the connection")
    client.loop_stop()
    assert connect_reason(door2) == DENIED
    with pytest.raises(UserError, match="there is no account door2"):
        running.accounts.remove("door2")


@pytest.mark.slow
def test_nothing_can_be_read_on_the_wire(running: LocalBroker, tmp_path: Path) -> None:
    relay = Relay(running.broker("", ""), records=True)
    broker = running.own(running.places.daemon_credentials, relay.broker.port)
    outbox = Outbox(tmp_path / "outbox.sqlite3", 10)
    outbox.put(START)
    publisher = Publisher(broker, Topics("maskpatrol", "door1"), outbox)
    publisher.start()
    wait_until(lambda: outbox.depth() == 0, "the event is delivered")
    publisher.stop(5.0)
    outbox.close()
    relay.close()
    assert len(relay.recorded) > 1000
    for text in (b"MQTT", b"maskpatrol", b"door1", b"no_mask", broker.password.encode()):
        assert text not in relay.recorded
    # A client that does not use TLS gets no answer.
    plain = paho.Client(paho.CallbackAPIVersion.VERSION2)
    plain.username_pw_set(broker.username, broker.password)
    ended: list[int] = []
    plain.on_disconnect = lambda *_: ended.append(1)
    plain.on_connect = lambda *_: pytest.fail("the broker accepts a connection without TLS")
    plain.connect("127.0.0.1", running.process.port)
    plain.loop_start()
    wait_until(lambda: bool(ended), "the broker closes the connection")
    plain.loop_stop()


@pytest.mark.slow
def test_devices_with_special_names_can_announce_themselves(running: LocalBroker) -> None:
    for name, topic in (
        ("front.door_1", "mask-patrol-front_2edoor__1"),
        ("a-b", "mask-patrol-a-b"),
    ):
        door = running.add(name, "one")
        wait_until(lambda door=door: is_accepted(door), "the new account")
        assert publish_reason(door, f"homeassistant/device/{topic}/config") < DENIED
        assert publish_reason(door, "homeassistant/device/mask-patrol-x/config") == DENIED


@pytest.mark.slow
def test_second_run_changes_nothing(running: LocalBroker, tmp_path: Path) -> None:
    def files() -> dict[str, tuple[int, int, bytes]]:
        """Inode, mode and content of each file of the setup."""
        found = [path for path in (tmp_path / "etc").rglob("*") if path.is_file()]
        stats = {path: path.stat() for path in found}
        return {str(p): (s.st_ino, s.st_mode, p.read_bytes()) for p, s in stats.items()}

    before = files()
    assert running.set_up() is False
    assert files() == before
    assert running.process.restarts == 1
    settings = load_settings(running.places.configuration).mqtt
    assert (settings.host, settings.tls) == ("localhost", True)
    assert settings.ca_file == str(running.places.trusted)


@pytest.mark.slow
def test_other_host_name_needs_only_another_certificate(running: LocalBroker) -> None:
    before = running.places.authority.read_text()
    assert running.set_up(MachineNames("front-door", "192.0.2.7")) is True
    assert running.process.restarts == 2
    assert running.places.authority.read_text() == before
    context = running.own(running.places.daemon_credentials).tls
    assert context is not None
    assert connect_reason(running.own(running.places.daemon_credentials)) == 0
    text = subprocess.run(
        ["openssl", "x509", "-noout", "-text", "-in", running.places.certificate],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in ("DNS:front-door.local", "DNS:localhost", "IP Address:192.0.2.7"):
        assert name in text


@pytest.mark.slow
def test_only_root_can_read_the_secrets(running: LocalBroker) -> None:
    places = running.places
    modes = {
        places.folder: 0o750, places.accounts: 0o640, places.rules: 0o640,
        places.certificate_key: 0o640, places.authority_key: 0o600, places.authority: 0o644,
        places.trusted: 0o644, places.dashboard_credentials: 0o700,
        places.daemon_credentials / "mqtt-password": 0o600,
        places.dashboard_credentials / "mqtt-password": 0o600,
    }  # fmt: skip
    assert {path: stat.S_IMODE(path.stat().st_mode) for path in modes} == modes
    passwords = [
        (folder / "mqtt-password").read_text().strip()
        for folder in (places.daemon_credentials, places.dashboard_credentials)
    ]
    assert len({*passwords}) == 2
    assert not any(password in places.accounts.read_text() for password in passwords)


class NoService(MosquittoService):
    """A service that counts its restarts, and starts nothing."""

    def __init__(self) -> None:
        self.restarts = 0

    def restart(self) -> None:
        self.restarts += 1


def set_up(local: LocalBroker) -> int:
    """Set up the broker without starting it; return how often it would be restarted."""
    service = NoService()
    BrokerSetup(local.places, MACHINE, service, local.places.root.stat().st_gid).run()
    return service.restarts


@pytest.mark.slow
def test_interrupted_setup_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends before each of its writes in turn, as in a power cut."""

    def failing(after: int) -> Callable[..., bool]:
        left = [after]

        def write(*arguments: object) -> bool:
            left[0] -= 1
            if left[0] < 0:
                raise UserError("interrupted")
            return write_file(*arguments)  # type: ignore[arg-type]

        return write

    number, completed = 0, False
    while not completed:
        folder = tmp_path / str(number)
        folder.mkdir()
        local = LocalBroker(folder)
        for module in (broker_setup, broker_accounts):
            monkeypatch.setattr(module, "write_file", failing(number))
        with suppress(UserError):
            completed = set_up(local) == 1
        for module in (broker_setup, broker_accounts):
            monkeypatch.setattr(module, "write_file", write_file)
        started = local.places.trusted.exists()  # it is written after the restart
        set_up(local)
        assert set_up(local) == 0, f"write {number}, started before: {started}"
        for name, credentials in (
            ("door1", local.places.daemon_credentials),
            ("dashboard", local.places.dashboard_credentials),
        ):
            assert (credentials / "mqtt-username").read_text() == f"{name}\n"
            password = (credentials / "mqtt-password").read_text().strip()
            assert local.accounts.accepts(name, password)
        assert load_settings(local.places.configuration).mqtt.host == "localhost"
        assert not list(local.places.root.rglob(".*"))
        number += 1
    assert number > 10


def test_failed_restart_is_repeated_by_the_next_run(local: LocalBroker) -> None:
    class Broken(MosquittoService):
        def restart(self) -> None:
            raise UserError("mosquitto does not start")

    with pytest.raises(UserError, match="does not start"):
        BrokerSetup(local.places, MACHINE, Broken(), local.places.root.stat().st_gid).run()
    assert set_up(local) == 1
    assert set_up(local) == 0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("conf.d/other.conf", "listener 1883\n"),
        ("mosquitto.conf", DEBIAN_CONF + "listener 1883 0.0.0.0\n"),
        ("mosquitto.conf", DEBIAN_CONF + "  allow_anonymous true\n"),
        ("mosquitto.conf", DEBIAN_CONF + "connection bridge\n"),
        ("mosquitto.conf", "persistence true\n"),
    ],
)
def test_other_configuration_of_mosquitto_is_kept(local: LocalBroker, name: str, text: str) -> None:
    (local.places.mosquitto / name).write_text(text)
    with pytest.raises(UsageError, match=f"already configured by {local.places.mosquitto / name}"):
        set_up(local)
    assert not local.places.conf.exists()
    assert not local.places.folder.exists()


def test_missing_mosquitto_is_explained(local: LocalBroker) -> None:
    (local.places.mosquitto / "mosquitto.conf").unlink()
    with pytest.raises(UsageError, match="sudo apt install mosquitto"):
        set_up(local)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[mqtt]\nhost = 'broker.lan'\n", "names another broker"),
        ("device = 'dashboard'\n", "the device cannot be called dashboard"),
        ("device = 'homeassistant'\n", "the device cannot be called homeassistant"),
    ],
)
def test_other_use_is_refused_before_anything_changes(tmp_path: Path, text: str, why: str) -> None:
    local = LocalBroker(tmp_path, text)
    with pytest.raises(UsageError, match=why):
        set_up(local)
    assert not local.places.folder.exists()
    assert local.places.configuration.read_text() == text


@pytest.mark.parametrize("kind", ["inline table", "link"])
def test_configuration_that_cannot_be_edited_gets_the_lines(tmp_path: Path, kind: str) -> None:
    text = "" if kind == "link" else "mqtt = {keepalive_s = 60}\n"
    local = LocalBroker(tmp_path, text)
    path = local.places.configuration
    if kind == "link":
        target = path.rename(tmp_path / "own.toml")
        path.symlink_to(target)
    with pytest.raises(UserError) as raised:
        set_up(local)
    assert path.read_text() == text
    # The lines of the message are TOML, and with them the set-up is complete.
    found = re.search(r"set `(.*)`, and in \[mqtt\] (.*); then run this again", str(raised.value))
    assert found
    device, values = found[1], found[2].split("; ")
    path.write_text(
        "\n".join((device, "[mqtt]", *values))
        if kind == "link"
        else f"{device}\nmqtt = {{keepalive_s = 60, {', '.join(values)}}}\n"
    )
    written = path.read_text()
    set_up(local)
    assert path.read_text() == written
    assert load_settings(path).mqtt.tls


def test_configuration_keeps_its_mode_and_port(tmp_path: Path) -> None:
    local = LocalBroker(tmp_path, "# mine\n[mqtt]\nport = 1883\n")
    local.places.configuration.chmod(0o640)
    set_up(local)
    settings = load_settings(local.places.configuration)
    assert settings.mqtt.port == 8883
    assert local.places.configuration.read_text().splitlines()[:2] == [
        f'device = "{settings.device}"', "# mine",
    ]  # fmt: skip
    assert stat.S_IMODE(local.places.configuration.stat().st_mode) == 0o640
    assert settings.device in local.accounts.names()


def test_planted_links_are_not_followed(local: LocalBroker, tmp_path: Path) -> None:
    """Also the link with which an updated dashboard uses the account of the daemon."""
    victim = tmp_path / "victim"
    victim.write_text("theirs")
    for path in (local.places.daemon_credentials / "mqtt-password", local.places.trusted):
        path.symlink_to(victim)
    local.places.dashboard_credentials.symlink_to(local.places.daemon_credentials)
    set_up(local)
    assert victim.read_text() == "theirs"
    assert not local.places.dashboard_credentials.is_symlink()
    name = (local.places.daemon_credentials / "mqtt-username").read_text()
    assert name == "door1\n"


def test_dashboard_of_another_machine_keeps_its_account(local: LocalBroker) -> None:
    set_up(local)
    accounts = local.accounts
    accounts.remove("dashboard")
    accounts.put("dashboard", "of the other machine")
    set_up(local)
    assert accounts.accepts("dashboard", "of the other machine")


def test_topics_of_another_base_are_allowed(tmp_path: Path) -> None:
    local = LocalBroker(tmp_path, "device = 'door1'\n[mqtt]\nbase = 'site1'\n")
    set_up(local)
    rules = local.places.rules.read_text()
    assert "pattern readwrite site1/%u/#" in rules
    assert "maskpatrol" not in rules
