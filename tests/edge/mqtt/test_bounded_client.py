"""A broker cannot fill a client's memory: the client ends the connection first."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from paho.mqtt.client import MQTTMessage

from edge.mqtt.bounded_client import MAX_RECEIVED_BYTES, MAX_UNSENT_PACKETS
from edge.mqtt.broker import Broker, new_client
from tests.support.waiting import PATIENCE_S

CONNACK = b"\x20\x02\x00\x00"
TOPIC = struct.pack(">H", 1) + b"t"
MAX_SENT_BYTES = 32 << 20
SMALL_BUFFER = 4096


def length(size: int) -> bytes:
    return bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14 & 127 | 128, size >> 21])


def messages(head: int) -> bytes:
    """Return PUBLISH packets without a payload, each with another packet identifier."""
    return b"".join(bytes([head, 5]) + TOPIC + struct.pack(">H", n) for n in range(1, 9999))


def attack_until_closed(broker: socket.socket, attack: bytes) -> None:
    """Send `attack` again and again; raises OSError when the client closes the connection."""
    broker.sendall(CONNACK)
    broker.settimeout(PATIENCE_S)
    sent = 0
    while sent < MAX_SENT_BYTES:
        broker.sendall(attack)
        sent += len(attack)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.mark.parametrize(
    ("attack", "reads"),
    [
        (b"\x30" + length(200 << 20) + TOPIC + bytes(1 << 20), True),
        (messages(0x34), True),
        (b"\xc0\x00" * (2 * MAX_UNSENT_PACKETS), False),
        (messages(0x32), False),
        (CONNACK * 10_000, True),
        (b"\x90\x03\x00\x01\x01" * 10_000, True),
    ],
    ids=["large packet", "QoS 2", "pings", "QoS 1", "CONNACK", "SUBACK"],
)  # fmt: skip
def test_connection_ends_before_memory_is_filled(
    listener: socket.socket,
    attack: bytes,
    reads: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The broker repeats the attack until the client closes the connection.

    With small buffers, the answers that the broker does not read have to wait at the client soon.
    """
    if not reads:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    client = new_client(Broker(*listener.getsockname()))
    client.on_socket_open = lambda _c, _d, connection: connection.setsockopt(
        socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER
    )
    ended = threading.Event()
    client.on_disconnect = lambda *_: ended.set()
    client.connect(*listener.getsockname())
    client.loop_start()
    broker, _ = listener.accept()
    with broker, pytest.raises(OSError, match=r"reset|Broken pipe"):
        attack_until_closed(broker, attack)
    assert ended.wait(PATIENCE_S)
    client.loop_stop()
    assert caplog.text.count("the connection is closed") == 1


def test_packet_of_the_largest_size_arrives(listener: socket.socket) -> None:
    client = new_client(Broker(*listener.getsockname()))
    arrived: list[int] = []
    received = threading.Event()

    def receive(_client: object, _data: object, message: MQTTMessage) -> None:
        arrived.append(len(message.payload))
        received.set()

    client.on_message = receive
    client.connect(*listener.getsockname())
    client.loop_start()
    broker, _ = listener.accept()
    with broker:
        body = TOPIC + bytes(MAX_RECEIVED_BYTES - len(TOPIC))
        broker.sendall(CONNACK + b"\x30" + length(len(body)) + body)
        assert received.wait(PATIENCE_S)
    client.loop_stop()
    assert arrived == [MAX_RECEIVED_BYTES - len(TOPIC)]
