"""What a broker allows its clients, and what a connection to it uses."""

from __future__ import annotations

import math
from dataclasses import dataclass

from paho.mqtt.properties import Properties

from edge.common.errors import printable

#: The values that MQTT 5 prescribes for a broker that announces none.
DEFAULT_RECEIVE_MAXIMUM, DEFAULT_MAXIMUM_QOS = 65_535, 2


@dataclass(frozen=True)
class BrokerLimits:
    """What a broker announces in its CONNACK.

    The defaults apply to a broker that announces nothing, and to MQTT 3.1.1, in which no broker
    can announce anything.
    """

    #: How many messages of QoS 1 may be sent and not yet acknowledged.
    receive_maximum: int = DEFAULT_RECEIVE_MAXIMUM
    maximum_qos: int = DEFAULT_MAXIMUM_QOS
    retain_available: bool = True
    wildcards_available: bool = True
    #: The largest packet in bytes, infinite if there is no limit.
    max_packet_bytes: float = math.inf
    #: The keep-alive interval that replaces ours; None if ours applies. paho uses it.
    keepalive_s: int | None = None
    #: The client identifier that replaces ours; empty if ours applies.
    client_id: str = ""

    @classmethod
    def from_properties(cls, properties: Properties | None) -> BrokerLimits:
        """Return the limits in the properties of a CONNACK; None stands for no properties."""
        return cls(
            getattr(properties, "ReceiveMaximum", DEFAULT_RECEIVE_MAXIMUM),
            getattr(properties, "MaximumQoS", DEFAULT_MAXIMUM_QOS),
            bool(getattr(properties, "RetainAvailable", True)),
            bool(getattr(properties, "WildcardSubscriptionAvailable", True)),
            getattr(properties, "MaximumPacketSize", math.inf),
            getattr(properties, "ServerKeepAlive", None),
            printable(getattr(properties, "AssignedClientIdentifier", "")),  # it is logged
        )


@dataclass(frozen=True)
class Features:
    """The features that a connection uses and that not every broker supports.

    Without `retain` no message is retained; `qos` is the highest QoS of a message, 0 or 1.
    """

    retain: bool = True
    qos: int = 1

    def within(self, limits: BrokerLimits) -> Features:
        """Return these features without those that `limits` exclude."""
        return Features(self.retain and limits.retain_available, min(self.qos, limits.maximum_qos))


ALL_FEATURES = Features()
