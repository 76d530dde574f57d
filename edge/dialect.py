"""Which version of MQTT to speak: 5, unless configured otherwise or the broker cannot."""

from __future__ import annotations

from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

#: Old brokers break off, or say nothing, when spoken to in MQTT 5; so does a broker that is
#: just starting. After so many attempts without an answer 3.1.1 is tried, for one
#: connection: it does not tell when the broker's rules forbid a message.
PATIENCE = 3
#: CONNACK 1 of MQTT 3.1.1 and 0x84 of MQTT 5: the broker knows the other one only.
UNSUPPORTED_PROTOCOL = 132


class Dialect:
    """What the answers of one broker so far say of the version that it knows."""

    def __init__(self, version: str) -> None:
        """`version` is what is configured: `auto`, `5` or `3.1.1`."""
        self._version = version
        self._knows_only_311 = False
        self._unanswered = 0

    def protocol(self) -> MQTTProtocolVersion:
        """What to speak in the next attempt."""
        older = self._knows_only_311 or self._unanswered >= PATIENCE
        if self._version == "3.1.1" or (self._version == "auto" and older):
            return MQTTProtocolVersion.MQTTv311
        return MQTTProtocolVersion.MQTTv5

    def accepted(self) -> None:
        """The broker let us in."""
        self._unanswered = 0

    def unanswered(self) -> None:
        """The broker gave no answer at all."""
        self._unanswered += 1

    def refused(self, reason: ReasonCode) -> bool:
        """The broker said no; True when another version may do and was not tried yet."""
        if reason.value != UNSUPPORTED_PROTOCOL or self._knows_only_311:
            return False
        self._knows_only_311 = True
        return True
