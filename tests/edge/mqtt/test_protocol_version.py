from __future__ import annotations

import pytest
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from edge.mqtt.protocol_version import MAX_UNANSWERED, UNSUPPORTED_PROTOCOL, ProtocolVersion

V5, V311 = MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311


def reason(value: int) -> ReasonCode:
    return ReasonCode(PacketTypes.CONNACK, identifier=value)


def silence(version: ProtocolVersion, attempts: int = MAX_UNANSWERED) -> None:
    for _ in range(attempts):
        version.unanswered()


def test_silence_makes_the_first_connection_an_older_one_and_the_next_tries_5_again() -> None:
    version = ProtocolVersion("auto")
    assert version.protocol() == V5
    silence(version, MAX_UNANSWERED - 1)
    assert version.protocol() == V5
    silence(version, 1)
    assert version.protocol() == V311
    version.accepted()
    assert version.protocol() == V5
    silence(version)
    assert version.protocol() == V311  # that it was let in in 3.1.1 says nothing of 5


def test_a_broker_that_spoke_5_is_never_left_for_its_silence() -> None:
    version = ProtocolVersion("auto")
    version.accepted()
    silence(version, 100)
    assert version.protocol() == V5


def test_a_broker_that_says_that_it_knows_only_the_older_is_spoken_to_in_it() -> None:
    version = ProtocolVersion("auto")
    version.accepted()
    assert not version.refused(reason(135))
    assert version.protocol() == V5
    assert version.refused(reason(UNSUPPORTED_PROTOCOL))
    assert version.protocol() == V311
    assert not version.refused(reason(UNSUPPORTED_PROTOCOL))


@pytest.mark.parametrize(("version", "spoken"), [("5", V5), ("3.1.1", V311)])
def test_what_is_configured_is_spoken(version: str, spoken: MQTTProtocolVersion) -> None:
    version = ProtocolVersion(version)
    silence(version)
    assert version.protocol() == spoken
