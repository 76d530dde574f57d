"""Real mosquitto brokers on free ports, and real subscribers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTProtocolVersion

from edge.mqtt.broker import Broker
from edge.mqtt.tls import Tls
from tests.support.mqtt.certificates import Authority, Pair
from tests.support.ports import accepts, free_port
from tests.support.waiting import PATIENCE_S, wait_until


class Mosquitto:
    """A broker process; it can be started and stopped several times."""

    #: The brokers that are running now.
    running: ClassVar[set[Mosquitto]] = set()

    def __init__(
        self,
        folder: Path,
        password: str = "",
        acl: str = "",
        persistent: bool = False,
        more: tuple[str, ...] = (),
    ) -> None:
        """Write the configuration to `folder`, which also holds the broker's other files.

        `password` is the password of the user `door`; if it is empty, the broker accepts every
        client. `persistent` makes sessions and messages survive a restart. `more` are further
        lines of the configuration.
        """
        self.port = free_port()
        self.broker = Broker("127.0.0.1", self.port)
        found = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")
        assert found, "mosquitto is not installed; `make test` installs it"
        self._program = found
        lines = [f"listener {self.port} 127.0.0.1", f"persistence {str(persistent).lower()}", *more]
        if persistent:
            lines += [f"persistence_location {folder}/", "autosave_on_changes true"]
            lines += ["autosave_interval 1"]
        if password:
            users = folder / "users"
            subprocess.run(
                ["mosquitto_passwd", "-b", "-c", str(users), "door", password], check=True
            )
            users.chmod(0o644)
            lines += ["allow_anonymous false", f"password_file {users}"]
        else:
            lines.append("allow_anonymous true")
        if acl:
            (folder / "acl").write_text(acl)
            lines.append(f"acl_file {folder / 'acl'}")
        if os.geteuid() == 0:
            lines.append("user root")
        self._config = folder / "mosquitto.conf"
        self._config.write_text("\n".join(lines) + "\n")
        self._environment = dict(os.environ)
        self._process: subprocess.Popen[bytes] | None = None

    def add_user(self, name: str, password: str) -> None:
        """Add a user, for a broker with a password that has not been started yet."""
        users = self._config.with_name("users")
        subprocess.run(["mosquitto_passwd", "-b", str(users), name, password], check=True)

    def start(self) -> Mosquitto:
        self._process = subprocess.Popen(
            [self._program, "-c", str(self._config)],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.running.add(self)
        wait_until(lambda: accepts(self.port), "mosquitto accepts connections")
        return self

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE_S)
            self._process = None
            self.running.discard(self)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the broker process."""
        assert self._process is not None
        self._process.send_signal(number)


class TlsMosquitto(Mosquitto):
    """A broker that accepts only TLS connections.

    `requires_certificate` makes it require a client certificate signed by `authority`.
    """

    def __init__(
        self,
        folder: Path,
        authority: Authority,
        pair: Pair | None = None,
        requires_certificate: bool = False,
        password: str = "",
        version: str = "1.3",
    ) -> None:
        """`version` is the only TLS version that the broker supports."""
        pair = pair or authority.issue_for_broker()
        more = [
            f"cafile {authority.pair.cert}", f"certfile {pair.cert}", f"keyfile {pair.key}",
            f"require_certificate {str(requires_certificate).lower()}",
        ]  # fmt: skip
        super().__init__(folder, password=password, more=tuple(more))
        # mosquitto's `tls_version` is a minimum; the maximum is set in OpenSSL's configuration.
        conf = folder / "openssl.cnf"
        conf.write_text(
            "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = default\n"
            f"[default]\nMinProtocol = TLSv{version}\nMaxProtocol = TLSv{version}\n"
        )
        self._environment = {**os.environ, "OPENSSL_CONF": str(conf)}
        own = authority.issue("listener")
        tls = Tls(ca=authority.pair.cert, cert=own.cert, key=own.key)
        #: The address and the login with which a test's own subscriber connects.
        self.broker = Broker("127.0.0.1", self.port, "door" if password else "", password, tls=tls)


def mosquitto_without_subscriptions(folder: Path) -> Mosquitto:
    """Return a broker that forbids all subscriptions.

    mosquitto's ACL files cannot forbid a subscription; its dynamic security plugin can.
    """
    plugins = [
        path for path in Path("/usr/lib").glob("*/mosquitto_dynamic_security.so") if path.is_file()
    ]
    assert plugins, "mosquitto's dynamic security plugin is not installed"
    rules = folder / "rules.json"
    access = {"publishClientSend": True, "publishClientReceive": True, "subscribe": False}
    rules.write_text(json.dumps({"defaultACLAccess": {**access, "unsubscribe": True}}))
    return Mosquitto(folder, more=(f"plugin {plugins[0]}", f"plugin_opt_config_file {rules}"))


class Subscriber:
    """A connected client that stores every message it receives, in order."""

    def __init__(
        self,
        broker: Broker,
        *topics: str,
        protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv311,
        persistent_session: bool = False,
    ) -> None:
        """Connect and subscribe to `topics` (default: all below `maskpatrol`) with QoS 1."""
        self.messages: list[paho.MQTTMessage] = []
        self.subscribed = threading.Event()
        self._arrived = threading.Condition()
        filters = [(topic, 1) for topic in topics or ("maskpatrol/#",)]
        client = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id="persistent" if persistent_session else "",
            clean_session=False if persistent_session else None,
            protocol=protocol,
        )
        client.reconnect_delay_set(1, 1)
        if broker.username:
            client.username_pw_set(broker.username, broker.password)
        if broker.tls:
            client.tls_set_context(broker.tls.context())
        client.on_connect = lambda c, *_: c.subscribe(filters)
        client.on_subscribe = lambda *_: self.subscribed.set()
        client.on_disconnect = lambda *_: self.subscribed.clear()
        client.on_message = self._on_message
        client.connect(broker.host, broker.port)
        client.loop_start()
        self.client = client
        self.wait_until_subscribed()

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        with self._arrived:
            self.messages.append(message)
            self._arrived.notify_all()

    def wait_until_subscribed(self) -> None:
        assert self.subscribed.wait(PATIENCE_S), "not subscribed"

    def bodies(self, leaf: str) -> list[Any]:
        """Return the payloads received on topics whose last level is `leaf`.

        JSON objects and arrays are decoded, other payloads are returned as text.
        """
        with self._arrived:
            found = [m.payload for m in self.messages if m.topic.endswith("/" + leaf)]
        return [json.loads(p) if p[:1] in b"{[" and p else p.decode() for p in found]

    def wait_for(self, condition: Callable[[], bool], description: str) -> None:
        with self._arrived:
            assert self._arrived.wait_for(condition, PATIENCE_S), f"never came: {description}"

    def wait_for_status(self, status: str) -> None:
        """Wait until the newest status of the device is `status`."""
        self.wait_for(lambda: self.bodies("status")[-1:] == [status], f"the status {status}")

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


class PersistentSubscriber(Subscriber):
    """A subscriber to `events` whose session outlives its connections and the broker process."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker, "maskpatrol/+/events", persistent_session=True)

    @property
    def events(self) -> list[dict[str, Any]]:
        return self.bodies("events")

    def distinct(self) -> list[tuple[int, str, str]]:
        """Return `seq`, `id` and type of each event, in the order in which they first arrived."""
        return list(dict.fromkeys((e["seq"], e["id"], e["event_type"]) for e in self.events))
