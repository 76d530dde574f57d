"""A small MQTT broker that announces limits and ends every connection that exceeds one.

It is for limits that mosquitto cannot announce or does not enforce. It stores what it receives and
forwards messages only to the client that published them.
"""

from __future__ import annotations

import contextlib
import json
import queue
import select
import socket
import struct
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge.mqtt.broker import Broker

CONNECT, PUBLISH, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 8, 12, 14
#: Reason codes of MQTT 5.
RECEIVE_MAXIMUM_EXCEEDED, PACKET_TOO_LARGE = 0x93, 0x95
RETAIN_NOT_SUPPORTED, QOS_NOT_SUPPORTED, WILDCARD_NOT_SUPPORTED = 0x9A, 0x9B, 0xA2
CLIENT_ID_REFUSED = 0x85
#: How long a hostile broker waits for an answer to what it sent.
HOSTILE_WAIT_S = 0.02


@dataclass(frozen=True)
class Limits:
    """What the broker announces in MQTT 5 and enforces; a default is not announced.

    With `checks_will` a will beyond the limits is refused at CONNECT, as mosquitto does. Without
    it only a PUBLISH is refused. Without `announced` the broker enforces all the same.
    """

    receive_maximum: int = 65_535
    maximum_qos: int = 2
    retain: bool = True
    wildcards: bool = True
    max_packet_bytes: int = 0
    keepalive_s: int = 0
    assigned_client_id: str = ""
    only_client_id: str = ""
    checks_will: bool = True
    announced: bool = True
    #: Whether a client of 3.1.1 is sent a DISCONNECT, too, which that version does not allow.
    disconnects_311: bool = False
    #: How many reason codes a SUBACK has at most; MQTT requires one for each topic filter.
    max_suback_codes: int = 100

    def properties(self) -> bytes:
        """Return the properties of the CONNACK, with their length."""
        found = b""
        if not self.announced:
            return b"\x00"
        if self.receive_maximum < 65_535:
            found += b"\x21" + struct.pack(">H", self.receive_maximum)
        if self.maximum_qos < 2:
            found += bytes([0x24, self.maximum_qos])
        if not self.retain:
            found += b"\x25\x00"
        if self.max_packet_bytes:
            found += b"\x27" + struct.pack(">I", self.max_packet_bytes)
        if self.assigned_client_id:
            found += b"\x12" + _text(self.assigned_client_id)
        if not self.wildcards:
            found += b"\x28\x00"
        if self.keepalive_s:
            found += b"\x13" + struct.pack(">H", self.keepalive_s)
        return bytes([len(found)]) + found


@dataclass(frozen=True)
class Received:
    """A PUBLISH of the client."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


@dataclass(frozen=True)
class Connect:
    """A CONNECT of the client; `level` is 5 for MQTT 5 and 4 for 3.1.1."""

    level: int
    client_id: str
    keepalive_s: int
    will_qos: int
    will_retain: bool


class LimitedBroker:
    """The broker; it listens from the start until `close`."""

    def __init__(self, limits: Limits, ack_delay_s: float = 0.0) -> None:
        """Acknowledge messages one after another, each `ack_delay_s` after the one before it."""
        self.limits = limits
        self.ack_delay_s = ack_delay_s
        #: Cleared to hold all acknowledgements.
        self.acknowledging = threading.Event()
        self.acknowledging.set()
        self.connects: list[Connect] = []
        self.received: list[Received] = []
        self.filters: list[str] = []
        self.pings = 0
        #: The limits that a client exceeded.
        self.violations: list[str] = []
        #: The largest number of unacknowledged messages so far, over all connections.
        self.max_in_flight = 0
        self.links: list[_Link] = []
        #: For each of the next connections, what a hostile broker sends: one part after each packet
        #: of the client, or after `HOSTILE_WAIT_S` without one. Then it closes the connection.
        self.hostile_answers: deque[Sequence[bytes]] = deque()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.broker = Broker("127.0.0.1", self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def bodies(self, leaf: str) -> list[Any]:
        """Return the JSON bodies published on topics whose last level is `leaf`."""
        return [json.loads(m.payload) for m in list(self.received) if m.topic.endswith("/" + leaf)]

    @property
    def in_flight(self) -> int:
        """How many messages of the newest connection are unacknowledged."""
        return self.links[-1].in_flight if self.links else 0

    def send(self, topic: str, payload: bytes) -> None:
        """Send a message with QoS 0 to the newest client."""
        link = self.links[-1]
        body = _text(topic) + (b"\x00" if link.is_mqtt_5 else b"") + payload
        link.send(0x30, body)

    def close(self) -> None:
        self.acknowledging.set()
        self._listener.shutdown(socket.SHUT_RDWR)  # ends `accept`
        self._listener.close()
        for link in self.links:
            link.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            link = _Link(self, client)
            self.links.append(link)
            threading.Thread(target=link.serve, daemon=True).start()


class _Link:
    """One connection of a client."""

    def __init__(self, server: LimitedBroker, client: socket.socket) -> None:
        self._server = server
        self._limits = server.limits
        self._client = client
        # Unbuffered, because an attack also reads from the socket itself.
        self._stream = client.makefile("rb", buffering=0 if server.hostile_answers else -1)
        self._lock = threading.Lock()
        self._to_acknowledge: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.is_mqtt_5 = False
        self.in_flight = 0

    def send(self, head: int, body: bytes) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._client.sendall(bytes([head]) + _length(len(body)) + body)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)

    def serve(self) -> None:
        threading.Thread(target=self._acknowledge, daemon=True).start()
        with contextlib.suppress(EOFError, OSError):
            if self._server.hostile_answers:
                self._attack(self._server.hostile_answers.popleft())
            else:
                while self._handle(*self._read_packet()):
                    pass
        self.close()
        self._to_acknowledge.put(None)
        self._stream.close()
        self._client.close()

    def _attack(self, parts: Sequence[bytes]) -> None:
        self._read_packet()  # CONNECT
        for part in parts:
            self._client.sendall(part)
            if select.select([self._client], [], [], HOSTILE_WAIT_S)[0]:
                self._client.recv(1 << 16)
        self._client.shutdown(socket.SHUT_WR)
        while self._client.recv(1 << 16):
            pass

    def _read_packet(self) -> tuple[int, bytes]:
        head = self._read(1)[0]
        size, shift = 0, 0
        while True:
            byte = self._read(1)[0]
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return head, self._read(size)

    def _read(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def _handle(self, head: int, body: bytes) -> bool:
        """Handle a packet; return False if the connection must end."""
        server = self._server
        kind = head >> 4
        if self._limits.max_packet_bytes and len(body) + 2 > self._limits.max_packet_bytes:
            return self._refuse(PACKET_TOO_LARGE, "a packet is too large")
        if kind == CONNECT:
            return self._on_connect(body)
        if kind == PUBLISH:
            return self._on_publish(head, body)
        if kind == SUBSCRIBE:
            return self._on_subscribe(body)
        if kind == PINGREQ:
            server.pings += 1
            self.send(0xD0, b"")
        return kind != DISCONNECT

    def _on_connect(self, body: bytes) -> bool:
        level, flags, keepalive_s = struct.unpack(">BBH", body[6:10])
        self.is_mqtt_5 = level == 5
        rest = body[10:]
        if self.is_mqtt_5:
            rest = rest[1 + rest[0] :]
        (size,) = struct.unpack(">H", rest[:2])
        client_id = rest[2 : 2 + size].decode()
        will = Connect(level, client_id, keepalive_s, (flags >> 3) & 3, bool(flags & 0x20))
        self._server.connects.append(will)
        limits = self._limits
        if limits.only_client_id and client_id != limits.only_client_id:
            self.send(0x20, bytes([0, CLIENT_ID_REFUSED, 0] if self.is_mqtt_5 else [0, 2]))
            return False
        if limits.checks_will and (reason := self._beyond(will.will_qos, will.will_retain)):
            if self.is_mqtt_5:
                self.send(0x20, bytes([0, reason, 0]))
            return False
        self.send(0x20, b"\x00\x00" + (limits.properties() if self.is_mqtt_5 else b""))
        return True

    def _beyond(self, qos: int, retain: bool) -> int:
        """Return the reason code for a message beyond the limits; 0 if it is within them."""
        if retain and not self._limits.retain:
            return RETAIN_NOT_SUPPORTED
        return QOS_NOT_SUPPORTED if qos > self._limits.maximum_qos else 0

    def _on_publish(self, head: int, body: bytes) -> bool:
        qos, retain = (head >> 1) & 3, bool(head & 1)
        (size,) = struct.unpack(">H", body[:2])
        topic, rest = body[2 : 2 + size].decode(), body[2 + size :]
        if reason := self._beyond(qos, retain):
            return self._refuse(reason, f"qos {qos}, retain {retain} on {topic}")
        packet_id, rest = (rest[:2], rest[2:]) if qos else (b"", rest)
        if self.is_mqtt_5:
            rest = rest[1 + rest[0] :]
        if qos:
            with self._lock:
                self.in_flight += 1
                now = self.in_flight
            self._server.max_in_flight = max(self._server.max_in_flight, now)
            if self.is_mqtt_5 and now > self._limits.receive_maximum:
                return self._refuse(RECEIVE_MAXIMUM_EXCEEDED, f"{now} messages in flight")
            self._to_acknowledge.put(packet_id)
        self._server.received.append(Received(topic, rest, qos, retain))
        return True

    def _acknowledge(self) -> None:
        pause = threading.Event()
        while (packet_id := self._to_acknowledge.get()) is not None:
            pause.wait(self._server.ack_delay_s)
            self._server.acknowledging.wait()
            with self._lock:
                self.in_flight -= 1
            self.send(0x40, packet_id)

    def _on_subscribe(self, body: bytes) -> bool:
        packet_id, rest = body[:2], body[2:]
        if self.is_mqtt_5:
            rest = rest[1 + rest[0] :]
        granted = b""
        while rest:
            (size,) = struct.unpack(">H", rest[:2])
            topic = rest[2 : 2 + size].decode()
            granted += bytes([min(rest[2 + size] & 3, self._limits.maximum_qos)])
            rest = rest[3 + size :]
            self._server.filters.append(topic)
            if not self._limits.wildcards and ("+" in topic or "#" in topic):
                return self._refuse(WILDCARD_NOT_SUPPORTED, f"a wildcard in {topic}")
        granted = granted[: self._limits.max_suback_codes]
        self.send(0x90, packet_id + (b"\x00" if self.is_mqtt_5 else b"") + granted)
        return True

    def _refuse(self, reason: int, violation: str) -> bool:
        """Record a violation and end the connection; only MQTT 5 can state the reason."""
        self._server.violations.append(violation)
        if self.is_mqtt_5 or self._limits.disconnects_311:
            self.send(0xE0, bytes([reason, 0]))
        return False


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">H", len(encoded)) + encoded


def _length(size: int) -> bytes:
    """Return the Remaining Length of a packet."""
    encoded = b""
    while True:
        size, byte = divmod(size, 128)
        encoded += bytes([byte | (128 if size else 0)])
        if not size:
            return encoded
