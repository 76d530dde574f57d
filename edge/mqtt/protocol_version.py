"""Which MQTT version to use: 5, unless the configuration or the broker requires 3.1.1.

In 3.1.1 a broker cannot report that its access rules forbid a message, and the message is lost
silently. So if a broker that has accepted MQTT 5 does not answer later attempts, the device assumes
that the broker or the network hangs, and does not try 3.1.1. 3.1.1 is used with such a broker only
if it answers that it does not support MQTT 5.
"""

from __future__ import annotations

from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

#: Old brokers close the connection, or do not answer, when they receive a CONNECT of MQTT 5; so
#: does a broker that is just starting. After this many attempts without an answer one connection
#: is tried with 3.1.1.
MAX_UNANSWERED = 3
#: The reason code of a CONNACK that rejects the protocol version: 0x84 in MQTT 5; paho
#: translates return code 1 of 3.1.1 to it.
UNSUPPORTED_PROTOCOL = 132


class ProtocolVersion:
    """The MQTT version to use with one broker, given its answers so far."""

    def __init__(self, version: str) -> None:
        """Start with no answer of the broker; `version` is configured as `auto`, `5` or `3.1.1`."""
        self._version = version
        self._accepts_5 = False
        self._accepts_only_311 = False
        self._unanswered = 0

    def protocol(self) -> MQTTProtocolVersion:
        """Return the version to use for the next attempt."""
        silent = self._unanswered >= MAX_UNANSWERED and not self._accepts_5
        use_311 = self._accepts_only_311 or silent
        if self._version == "3.1.1" or (self._version == "auto" and use_311):
            return MQTTProtocolVersion.MQTTv311
        return MQTTProtocolVersion.MQTTv5

    def accepted(self) -> None:
        """Record that the broker accepted a connection in the version that `protocol` returned."""
        if self.protocol() == MQTTProtocolVersion.MQTTv5:
            self._accepts_5 = True
        self._unanswered = 0

    def unanswered(self) -> None:
        """Record that the broker did not answer an attempt."""
        self._unanswered += 1

    def refused(self, reason: ReasonCode) -> bool:
        """Record that the broker refused the connection for `reason`.

        Return True if the broker rejected the version and 3.1.1 was not tried yet.
        """
        if reason.value != UNSUPPORTED_PROTOCOL or self._accepts_only_311:
            return False
        self._accepts_only_311 = True
        return True
