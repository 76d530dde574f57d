"""A real mosquitto on a free port, and a real subscriber."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import paho.mqtt.client as paho

from edge.mqtt.broker import Broker
from edge.mqtt.tls import Tls
from tests.support.certificates import Authority, Pair

PATIENCE_S = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Mosquitto:
    """A broker process; `start` and `stop` may be called again and again."""

    running: ClassVar[set[Mosquitto]] = set()

    def __init__(
        self,
        folder: Path,
        password: str = "",
        acl: str = "",
        persistent: bool = False,
        more: tuple[str, ...] = (),
    ) -> None:
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

    def start(self) -> Mosquitto:
        self._process = subprocess.Popen(
            [self._program, "-c", str(self._config)],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.running.add(self)
        wait_until(lambda: accepts(self.port), "mosquitto listens")
        return self

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE_S)
            self._process = None
            self.running.discard(self)

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


class TlsMosquitto(Mosquitto):
    """One that only speaks TLS; `wants_certificate`: of each client, signed by `authority`."""

    def __init__(
        self,
        folder: Path,
        authority: Authority,
        pair: Pair | None = None,
        wants_certificate: bool = False,
        password: str = "",
        version: str = "1.3",
    ) -> None:
        """`version` of TLS is the only one that it speaks."""
        pair = pair or authority.issue_for_broker()
        more = [
            f"cafile {authority.pair.cert}", f"certfile {pair.cert}", f"keyfile {pair.key}",
            f"require_certificate {str(wants_certificate).lower()}",
        ]  # fmt: skip
        super().__init__(folder, password=password, more=tuple(more))
        # `tls_version` of mosquitto is a minimum; OpenSSL itself can be told a maximum.
        conf = folder / "openssl.cnf"
        conf.write_text(
            "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = default\n"
            f"[default]\nMinProtocol = TLSv{version}\nMaxProtocol = TLSv{version}\n"
        )
        self._environment = {**os.environ, "OPENSSL_CONF": str(conf)}
        own = authority.issue("listener")
        tls = Tls(ca=authority.pair.cert, cert=own.cert, key=own.key)
        #: As a test's own subscriber reaches it.
        self.broker = Broker("127.0.0.1", self.port, "door" if password else "", password, tls=tls)


class Subscriber:
    """Everything that arrives below a topic, in order."""

    def __init__(self, broker: Broker, topic: str = "maskpatrol/#") -> None:
        self.messages: list[paho.MQTTMessage] = []
        self._arrived = threading.Condition()
        subscribed = threading.Event()
        client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        if broker.username:
            client.username_pw_set(broker.username, broker.password)
        if broker.tls:
            client.tls_set_context(broker.tls.context())
        client.on_connect = lambda c, *_: c.subscribe(topic, qos=1)
        client.on_subscribe = lambda *_: subscribed.set()
        client.on_message = self._take
        client.connect(broker.host, broker.port)
        client.loop_start()
        assert subscribed.wait(PATIENCE_S)
        self.client = client

    def _take(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        with self._arrived:
            self.messages.append(message)
            self._arrived.notify_all()

    def bodies(self, leaf: str) -> list[Any]:
        """What arrived on topics that end in `leaf`: JSON decoded, else text."""
        with self._arrived:
            found = [m.payload for m in self.messages if m.topic.endswith("/" + leaf)]
        return [json.loads(p) if p[:1] in b"{[" and p else p.decode() for p in found]

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        with self._arrived:
            assert self._arrived.wait_for(condition, PATIENCE_S), f"never came: {what}"

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


class LastingSubscriber:
    """One whose session outlives connections and brokers; what arrived on `events`, in order."""

    def __init__(self, broker: Broker) -> None:
        self.events: list[dict[str, Any]] = []
        self.subscribed = threading.Event()
        client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id="lasting", clean_session=False
        )
        client.reconnect_delay_set(1, 1)
        client.on_connect = lambda c, *_: c.subscribe("maskpatrol/+/events", qos=1)
        client.on_subscribe = lambda *_: self.subscribed.set()
        client.on_disconnect = lambda *_: self.subscribed.clear()
        client.on_message = lambda _c, _d, m: self.events.append(json.loads(m.payload))
        client.connect(broker.host, broker.port)
        client.loop_start()
        self.client = client
        self.wait()

    def wait(self) -> None:
        assert self.subscribed.wait(PATIENCE_S), "the subscriber did not come back"

    def distinct(self) -> list[tuple[int, str, str]]:
        """seq, id and type of each event where it came first."""
        return list(dict.fromkeys((e["seq"], e["id"], e["event_type"]) for e in self.events))

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def wait_until(condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Poll a condition that nothing can be subscribed to."""
    tick = threading.Event()
    for _ in range(int(patience_s / 0.02)):
        if condition():
            return
        tick.wait(0.02)
    raise AssertionError(f"never happened: {what}")
