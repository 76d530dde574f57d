"""Which version of MQTT to speak: 5, unless configured otherwise or the broker cannot.

In 3.1.1 a broker does not tell when its rules forbid a message: it is lost without a word.
So a broker that has ever accepted 5 is never spoken to in 3.1.1 for being silent: it hangs,
or the network does. Only when it says itself that it knows the older one alone, it is.
"""

from __future__ import annotations

from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

#: Old brokers break off, or say nothing, when spoken to in MQTT 5; so does a broker that is
#: just starting. After so many attempts without an answer 3.1.1 is tried, for one connection.
PATIENCE = 3
#: CONNACK 1 of MQTT 3.1.1 and 0x84 of MQTT 5: the broker knows the other one only.
UNSUPPORTED_PROTOCOL = 132


class ProtocolVersion:
    """What the answers of one broker so far say of the version that it knows."""

    def __init__(self, version: str) -> None:
        """`version` is what is configured: `auto`, `5` or `3.1.1`."""
        self._version = version
        self._knows_5 = False
        self._knows_only_311 = False
        self._unanswered = 0

    def protocol(self) -> MQTTProtocolVersion:
        """What to speak in the next attempt."""
        silent = self._unanswered >= PATIENCE and not self._knows_5
        older = self._knows_only_311 or silent
        if self._version == "3.1.1" or (self._version == "auto" and older):
            return MQTTProtocolVersion.MQTTv311
        return MQTTProtocolVersion.MQTTv5

    def accepted(self) -> None:
        """The broker let us in, in the version that `protocol` told."""
        if self.protocol() == MQTTProtocolVersion.MQTTv5:
            self._knows_5 = True
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
