"""A paho client whose memory a hostile broker cannot fill."""

from __future__ import annotations

import logging
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode

log = logging.getLogger(__name__)

#: The largest packet that is read into memory. The daemon and the dashboard announce smaller limits
#: to a broker of MQTT 5; in 3.1.1 a client cannot announce any, and packets can have 256 MiB.
MAX_RECEIVED_BYTES = 4 << 20
#: How many packets may wait to be sent. A broker that sends requests but reads no answers could
#: otherwise make them accumulate. The dashboard acknowledges at most 1000 events at once.
MAX_UNSENT_PACKETS = 5000
#: The bits of a PUBLISH that hold its QoS, and their value for QoS 2.
QOS_BITS, QOS_2 = 0b0110, 0b0100
CONNACK, PUBLISH, SUBACK, TYPE_BITS = 0x20, 0x30, 0x90, 0xF0


class BoundedClient(paho.Client):
    """A client that ends the connection to a broker that would fill its memory.

    It subscribes with QoS 0 and 1 only, so no broker needs to send a message of QoS 2; paho would
    keep each of them until the broker releases it. It subscribes once per connection, so that one
    CONNACK and one SUBACK are enough; each causes an item in a queue.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Take the arguments of `paho.mqtt.client.Client`."""
        super().__init__(*arguments, **options)
        self._warned = False
        self._answered: set[int] = set()

    def reconnect(self) -> MQTTErrorCode:
        """Open the next connection; `connect` calls this as well."""
        self._warned = False
        self._answered.clear()
        return super().reconnect()

    def _sock_recv(self, bufsize: int) -> bytes:
        """Read from the socket; raises OSError, which ends the connection, in a large packet."""
        size = self._in_packet["remaining_length"]
        if size > MAX_RECEIVED_BYTES:
            self._warn(f"a packet of {size} bytes; at most {MAX_RECEIVED_BYTES} are accepted")
            raise ConnectionAbortedError("the packet is too large")
        return super()._sock_recv(bufsize)

    def _packet_handle(self) -> MQTTErrorCode:
        command = self._in_packet["command"]
        kind = command & TYPE_BITS
        if kind in self._answered:
            self._warn("a second answer to CONNECT or SUBSCRIBE")
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        if kind in (CONNACK, SUBACK):
            self._answered.add(kind)
        if kind == PUBLISH and command & QOS_BITS == QOS_2:
            self._warn("a message of QoS 2, to which nothing is subscribed")
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        if len(self._out_packet) > MAX_UNSENT_PACKETS:
            self._warn("many packets, but does not read the answers")
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        return super()._packet_handle()

    def _warn(self, what: str) -> None:
        if not self._warned:
            log.warning("the broker sent %s: the connection is closed", what)
        self._warned = True
