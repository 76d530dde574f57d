"""How a broker answers a client: the reason codes of MQTT 5."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTProtocolVersion

from edge.mqtt.broker import Broker
from tests.support.waiting import wait_until

#: The reason codes of what an account may not do, and of a wrong login.
DENIED, BAD_LOGIN = 135, 134


def client_of(broker: Broker, client_id: str = "") -> paho.Client:
    """Return a client of MQTT 5 that is not connected yet."""
    version = paho.CallbackAPIVersion.VERSION2
    client = paho.Client(version, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv5)
    if broker.username:
        client.username_pw_set(broker.username, broker.password)
    assert broker.tls is not None
    client.tls_set_context(broker.tls.context())
    return client


def connect_reason(broker: Broker) -> int:
    """Return the reason code of the broker's CONNACK."""

    def prepare(client: paho.Client, answer: Callable[[Any], None]) -> None:
        client.on_connect = lambda _c, _d, _f, reason, _p: answer(reason.value)

    return _answer(broker, prepare)


def is_accepted(broker: Broker) -> bool:
    """Return whether the broker accepts a client.

    While it reads its files again, it may close a connection that is just being made.
    """
    try:
        return connect_reason(broker) == 0
    except ConnectionError:
        return False


def publish_reason(broker: Broker, topic: str, payload: bytes = b"x") -> int:
    """Publish a message to `topic` and return the reason code of the broker's PUBACK."""

    def prepare(client: paho.Client, answer: Callable[[Any], None]) -> None:
        client.on_publish = lambda _c, _d, _m, reason, _p: answer(reason.value)
        client.on_connect = lambda c, *_: c.publish(topic, payload, qos=1)

    return _answer(broker, prepare)


def _answer(broker: Broker, prepare: Callable[[paho.Client, Callable[[Any], None]], None]) -> int:
    """Connect a client with the callbacks that `prepare` sets; return the first answer."""
    reasons: list[int] = []
    client = client_of(broker)
    prepare(client, reasons.append)
    client.connect(broker.host, broker.port)
    client.loop_start()
    wait_until(lambda: bool(reasons), "the broker's answer")
    client.disconnect()
    client.loop_stop()
    return reasons[0]
