"""One connection to the broker, from CONNECT to its end.

Each connection is a new paho client: what was on its way when a connection broke is
still in the outbox, and paho must not remember it a second time. Callbacks only put
signals into a queue, so no lock is ever held while paho is called (paho runs
`on_publish` under a lock that `publish` also wants).
"""

from __future__ import annotations

import queue
from dataclasses import dataclass

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from edge.connection import Broker, new_client, why_unreachable
from edge.errors import UserError
from edge.payloads import Topics

ONLINE, OFFLINE = "online", "offline"
#: How long the broker may take to acknowledge our farewell.
FAREWELL_S = 1.0


@dataclass(frozen=True)
class Answered:
    """The broker's CONNACK."""

    session: Session
    reason: ReasonCode


@dataclass(frozen=True)
class Acknowledged:
    """The broker's PUBACK; `failure` is empty, or why it did not take the message.

    Only MQTT 5 can tell a failure: in 3.1.1 a message that the broker's rules forbid is
    acknowledged like any other and thrown away.
    """

    session: Session
    mid: int
    failure: str


@dataclass(frozen=True)
class Lost:
    """The connection is gone."""

    session: Session
    reason: str


Signal = Answered | Acknowledged | Lost


class Session:
    """A connection that says `offline` for us when it breaks."""

    def __init__(
        self,
        broker: Broker,
        topics: Topics,
        protocol: MQTTProtocolVersion,
        signals: queue.SimpleQueue[Signal],
    ) -> None:
        """Nothing is sent before `open`; what happens then is put into `signals`."""
        self._broker = broker
        self._topics = topics
        client = new_client(broker, f"mask-patrol-{topics.device}", protocol=protocol)
        client.will_set(topics["status"], OFFLINE, qos=1, retain=True)
        client.on_connect = lambda _c, _u, _f, reason, _p: signals.put(Answered(self, reason))
        client.on_publish = lambda _c, _u, mid, reason, _p: signals.put(
            Acknowledged(self, mid, str(reason) if reason.is_failure else "")
        )
        client.on_disconnect = lambda _c, _u, _f, reason, _p: signals.put(Lost(self, str(reason)))
        self._client: paho.Client = client

    def open(self) -> None:
        """Connect; `Answered` follows. Raises UserError when nobody is there."""
        broker = self._broker
        try:
            self._client.connect(broker.host, broker.port, broker.keepalive_s)
        except (OSError, ValueError) as error:
            raise UserError(why_unreachable(broker, error)) from None
        self._client.loop_start()

    def publish(self, leaf: str, body: str, qos: int, retain: bool) -> int:
        """Send to the device's topic `leaf`; returns the number that its PUBACK will bear."""
        return self._client.publish(self._topics[leaf], body, qos=qos, retain=retain).mid

    def say_goodbye(self) -> None:
        """A clean disconnect keeps the broker from sending the will: say it ourselves."""
        farewell = self._client.publish(self._topics["status"], OFFLINE, qos=1, retain=True)
        try:
            farewell.wait_for_publish(FAREWELL_S)
        except (RuntimeError, ValueError):
            return  # the connection broke meanwhile: then the will says it

    def close(self) -> None:
        """End the connection and paho's thread; a second call does nothing."""
        self._client.disconnect()
        self._client.loop_stop()
