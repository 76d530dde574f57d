"""Random and mutated commands to a daemon process that reads a camera.

No message ends the daemon. The daemon answers each valid command exactly once; the reply
contains the transaction of the command.
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

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.common.errors import UserError
from edge.mqtt.broker import Broker
from edge.mqtt.command_format import VERB_PATTERN, VerbHandler, ping, reply_to
from tests.support.camera.mjpeg_server import MjpegCamera
from tests.support.cli_process import start_mask_patrol
from tests.support.footage.demo_frames import demo_frames
from tests.support.mqtt.brokers import Mosquitto, Subscriber
from tests.support.waiting import PATIENCE_S

BASE = "maskpatrol/door1/"
#: Number of messages sent at a time: less than the device can queue, so that it drops no message.
BATCH = 40


def snapshot() -> dict[str, Any]:
    raise UserError("snapshots are off; set snapshot.enabled in the configuration")


#: The daemon's commands (verbs), with handlers that return its replies under default settings.
VERBS: dict[str, VerbHandler] = {
    "ping": ping,
    "pause": lambda: {"paused": True},
    "resume": lambda: {"paused": False},
    "snapshot": snapshot,
}
ODD_TOPICS = ("", "PING", "ping/", "ping/x", "p1ng", "päng", "a b", "$SYS", "x" * 33, "\U0001f600")


@dataclass(frozen=True)
class RandomMessage:
    """A message to the device; `valid` says whether the message is a valid command."""

    verb: str
    payload: bytes
    qos: int
    retain: bool
    valid: bool
    properties: Properties | None = None


def random_messages(
    chance: random.Random, count: int, ignores_retained: bool
) -> Iterator[RandomMessage]:
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
            # If the broker clears the retain flag, the daemon gets a retained message as an
            # ordinary command.
            retain, valid = True, not ignores_retained
        yield RandomMessage(verb, payload, chance.randrange(3), retain, valid, _properties(chance))


def _properties(chance: random.Random) -> Properties | None:
    """Return random properties that MQTT 5 allows and that the device ignores."""
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


class Caller(Subscriber):
    """Sends commands and counts the replies, each with its exact payload."""

    def __init__(self, broker: Broker) -> None:
        self.replies: Counter[tuple[str, str]] = Counter()
        self.events = 0
        self.online = threading.Event()
        self._barriers = 0
        topics = [BASE + leaf for leaf in ("reply/#", "events", "status")]
        super().__init__(broker, *topics, protocol=MQTTProtocolVersion.MQTTv5)

    def _on_message(self, client: Any, data: Any, message: paho.MQTTMessage) -> None:
        leaf = message.topic.removeprefix(BASE)
        if leaf == "status" and message.payload == b"online":
            self.online.set()
        elif leaf == "events":
            self.events += 1
        elif leaf.startswith("reply/"):
            self.replies[leaf.removeprefix("reply/"), message.payload.decode()] += 1
        super()._on_message(client, data, message)

    def send(self, batch: list[RandomMessage]) -> None:
        """Send all messages of `batch` and a last command; wait for the reply to that command."""
        sent = [
            self.client.publish(f"{BASE}cmd/{s.verb}", s.payload, s.qos, s.retain, s.properties)
            for s in batch
        ]
        for message in sent:
            message.wait_for_publish(PATIENCE_S)
        self._barriers += 1
        command = {"transaction": f"barrier {self._barriers}"}
        self.client.publish(BASE + "cmd/ping", json.dumps(command), qos=1)
        expected = expected_reply("ping", json.dumps(command).encode())
        self.wait_for(lambda: bool(self.replies[expected]), str(command))
        del self.replies[expected]

    def wait_for_an_event(self) -> None:
        self.wait_for(lambda: self.events > 0, "an event")


def expected_reply(verb: str, payload: bytes) -> tuple[str, str]:
    return verb, json.dumps(reply_to(verb, payload, VERBS), separators=(",", ":"))


@contextmanager
def running_daemon(folder: Path, broker: Broker, version: str) -> Iterator[Popen[str]]:
    config = folder / "door.toml"
    with MjpegCamera(demo_frames(every=2, at_most=70)) as camera:
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


@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize("count", [750, pytest.param(10_000, marks=pytest.mark.soak)])
def test_daemon_survives_and_answers_random_messages(
    tmp_path: Path, mosquitto: Mosquitto, version: str, count: int
) -> None:
    ignores_retained = version == "5"
    messages = list(random_messages(random.Random(count), count, ignores_retained=ignores_retained))
    caller = Caller(mosquitto.broker)
    with running_daemon(tmp_path, mosquitto.broker, version) as daemon:
        assert caller.online.wait(60)
        for start in range(0, count, BATCH):
            caller.send(messages[start : start + BATCH])
        caller.wait_for_an_event()
        assert daemon.poll() is None
        daemon.terminate()
        _, errors = daemon.communicate(timeout=30)
    caller.close()
    assert (daemon.returncode, errors) == (0, "")
    handled = [
        s
        for s in messages
        if VERB_PATTERN.fullmatch(s.verb) and not (s.retain and ignores_retained)
    ]
    assert caller.replies == Counter(expected_reply(s.verb, s.payload) for s in handled)
    # `expected_reply` uses `reply_to`, which is under test. So also check without `reply_to` that
    # each valid command has a reply.
    answered = Counter(
        json.loads(body)["transaction"]
        for (verb, body), times in caller.replies.items()
        for _ in range(times)
        if verb in VERBS
    )
    valid = [json.loads(s.payload)["transaction"] for s in messages if s.valid]
    assert len(valid) > count / 3
    for transaction in valid:
        assert answered[transaction] >= 1
