"""Random and mutated messages to the daemon as a process, while it watches a camera.

None ends it, and each command that it must answer is answered once, with its transaction.
"""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

import cv2
import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge.common.arrays import Pixels
from edge.common.errors import UserError
from edge.common.paths import demo_clip
from edge.mqtt.broker import Broker
from edge.mqtt.command_format import VERB_PATTERN, VerbHandler, ping, reply_to
from tests.support.brokers import PATIENCE_S, Mosquitto
from tests.support.cli_process import start_mask_patrol
from tests.support.mjpeg_server import MjpegCamera

BASE = "maskpatrol/door1/"
#: Fewer than may wait at the device, so that it drops none.
BATCH = 40


def snapshot() -> dict[str, Any]:
    raise UserError("snapshots are off; snapshot.enabled in the configuration allows them")


#: What the daemon knows, as it answers while it watches with the default settings.
VERBS: dict[str, VerbHandler] = {
    "ping": ping,
    "pause": lambda: {"paused": True},
    "resume": lambda: {"paused": False},
    "snapshot": snapshot,
}
ODD_TOPICS = ("", "PING", "ping/", "ping/x", "p1ng", "päng", "a b", "$SYS", "x" * 33, "\U0001f600")


@dataclass(frozen=True)
class Shot:
    """A message to the device."""

    verb: str
    payload: bytes
    qos: int
    retain: bool
    valid: bool
    properties: Properties | None = None


def shots(chance: random.Random, count: int, retained_are_ignored: bool) -> Iterator[Shot]:
    for number in range(count):
        command = {"transaction": _transaction(chance, number)}
        verb = chance.choice(["ping", "ping", "resume", "snapshot"])
        payload, valid, retain = json.dumps(command).encode(), True, False
        kind = chance.random()
        if kind < 0.4:
            pass
        elif kind < 0.7:
            payload, valid = _mutated(chance, payload), False
        elif kind < 0.8:
            payload, valid = chance.randbytes(chance.randrange(3000)), False
        elif kind < 0.87:
            verb, valid = "".join(chance.choices("abcxyz_", k=chance.randint(1, 32))), False
        elif kind < 0.94:
            verb, valid = chance.choice(ODD_TOPICS), False
        else:
            # Where its mark is taken off, a retained one is a command like others.
            retain, valid = True, not retained_are_ignored
        yield Shot(verb, payload, chance.randrange(3), retain, valid, _properties(chance))


def _properties(chance: random.Random) -> Properties | None:
    """What MQTT 5 lets a sender add, which means nothing to us."""
    if chance.random() < 0.5:
        return None
    properties = Properties(PacketTypes.PUBLISH)
    properties.PayloadFormatIndicator = 0
    properties.MessageExpiryInterval = chance.randrange(1000, 2**32)
    properties.ContentType = "äpplication/€"
    properties.ResponseTopic = "elsewhere"
    properties.CorrelationData = chance.randbytes(chance.randrange(100))
    properties.UserProperty = [("a" * chance.randrange(50), "ß")] * chance.randint(1, 5)
    return properties


def _transaction(chance: random.Random, number: int) -> str | float:
    letters = "".join(chance.choices('aä"\\\n€😀\x7f', k=chance.randrange(20)))
    return chance.choice([number, -number - 0.5, f"{number} {letters}"])


def _mutated(chance: random.Random, payload: bytes) -> bytes:
    changed = bytearray(payload)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(4):
            case 0:
                changed[at:at] = chance.randbytes(1)
            case 1:
                del changed[at : at + chance.randint(1, 5)]
            case 2:
                changed[at : at + 1] = chance.choice([b"{", b"}", b"[", b'"', b"\0", b"\xff", b"9"])
            case _:
                changed += changed[at:]
    return bytes(changed)


class Caller:
    """Sends commands and counts the replies, each exactly as it came."""

    def __init__(self, broker: Broker) -> None:
        self.replies: Counter[tuple[str, str]] = Counter()
        self.events = 0
        self._arrived = threading.Condition()
        self._barriers = 0
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.on_message = self._take
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        options = SubscribeOptions(qos=1)
        self._client.subscribe([(BASE + leaf, options) for leaf in ("reply/#", "events", "status")])
        assert subscribed.wait(PATIENCE_S)
        self.online = threading.Event()

    def _take(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        leaf = message.topic.removeprefix(BASE)
        with self._arrived:
            if leaf == "status" and message.payload == b"online":
                self.online.set()
            elif leaf == "events":
                self.events += 1
            elif leaf.startswith("reply/"):
                verb = leaf.removeprefix("reply/")
                self.replies[verb, message.payload.decode()] += 1
            self._arrived.notify_all()

    def send(self, batch: list[Shot]) -> None:
        """All of them, then a last command; returns when that is answered."""
        sent = [
            self._client.publish(f"{BASE}cmd/{s.verb}", s.payload, s.qos, s.retain, s.properties)
            for s in batch
        ]
        for message in sent:
            message.wait_for_publish(PATIENCE_S)
        self._barriers += 1
        command = {"transaction": f"barrier {self._barriers}"}
        self._client.publish(BASE + "cmd/ping", json.dumps(command), qos=1)
        expected = expected_reply("ping", json.dumps(command).encode())
        with self._arrived:
            assert self._arrived.wait_for(lambda: self.replies[expected], PATIENCE_S), command
            del self.replies[expected]

    def wait_for_an_event(self) -> None:
        with self._arrived:
            assert self._arrived.wait_for(lambda: self.events > 0, PATIENCE_S)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def expected_reply(verb: str, payload: bytes) -> tuple[str, str]:
    return verb, json.dumps(reply_to(verb, payload, VERBS), separators=(",", ":"))


@contextmanager
def watching_daemon(folder: Path, broker: Broker, version: str) -> Iterator[Popen[str]]:
    config = folder / "door.toml"
    with MjpegCamera(demo_frames()) as camera:
        config.write_text(
            f"device = 'door1'\n[camera]\nsource = '{camera.url}'\n"
            f"[mqtt]\nhost = '{broker.host}'\nport = {broker.port}\nversion = '{version}'\n"
        )
        daemon = start_mask_patrol(folder, "run", "--config", config)
        try:
            yield daemon
        finally:
            daemon.kill()
            daemon.communicate()


def demo_frames() -> list[Pixels]:
    """The first person of the demo clip, bare-faced."""
    capture = cv2.VideoCapture(str(demo_clip()))
    frames = [capture.read()[1] for _ in range(140)]
    return frames[::2]


@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize("count", [750, pytest.param(10_000, marks=pytest.mark.soak)])
def test_whatever_is_sent_the_daemon_lives_and_answers(
    tmp_path: Path, mosquitto: Mosquitto, version: str, count: int
) -> None:
    marked = version == "5"
    all_shots = list(shots(random.Random(count), count, retained_are_ignored=marked))
    caller = Caller(mosquitto.broker)
    with watching_daemon(tmp_path, mosquitto.broker, version) as daemon:
        assert caller.online.wait(60)
        for start in range(0, count, BATCH):
            caller.send(all_shots[start : start + BATCH])
        caller.wait_for_an_event()
        assert daemon.poll() is None
        daemon.terminate()
        _, errors = daemon.communicate(timeout=30)
    caller.close()
    assert (daemon.returncode, errors) == (0, "")
    heard = [s for s in all_shots if VERB_PATTERN.fullmatch(s.verb) and not (s.retain and marked)]
    assert caller.replies == Counter(expected_reply(s.verb, s.payload) for s in heard)
    # Told by the test itself, and not by what it tests:
    answered = Counter(
        json.loads(body)["transaction"]
        for (verb, body), times in caller.replies.items()
        for _ in range(times)
        if verb in VERBS
    )
    valid = [json.loads(s.payload)["transaction"] for s in all_shots if s.valid]
    assert len(valid) > count / 3
    for transaction in valid:
        assert answered[transaction] >= 1
