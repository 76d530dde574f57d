from __future__ import annotations

import pytest
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from edge.mqtt.protocol_version import PATIENCE, UNSUPPORTED_PROTOCOL, ProtocolVersion

V5, V311 = MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311


def reason(value: int) -> ReasonCode:
    return ReasonCode(PacketTypes.CONNACK, identifier=value)


def silence(dialect: ProtocolVersion, attempts: int = PATIENCE) -> None:
    for _ in range(attempts):
        dialect.unanswered()


def test_silence_makes_the_first_connection_an_older_one_and_the_next_tries_5_again() -> None:
    dialect = ProtocolVersion("auto")
    assert dialect.protocol() == V5
    silence(dialect, PATIENCE - 1)
    assert dialect.protocol() == V5
    silence(dialect, 1)
    assert dialect.protocol() == V311
    dialect.accepted()
    assert dialect.protocol() == V5
    silence(dialect)
    assert dialect.protocol() == V311  # that it was let in in 3.1.1 says nothing of 5


def test_a_broker_that_spoke_5_is_never_left_for_its_silence() -> None:
    dialect = ProtocolVersion("auto")
    dialect.accepted()
    silence(dialect, 100)
    assert dialect.protocol() == V5


def test_a_broker_that_says_that_it_knows_only_the_older_is_spoken_to_in_it() -> None:
    dialect = ProtocolVersion("auto")
    dialect.accepted()
    assert not dialect.refused(reason(135))
    assert dialect.protocol() == V5
    assert dialect.refused(reason(UNSUPPORTED_PROTOCOL))
    assert dialect.protocol() == V311
    assert not dialect.refused(reason(UNSUPPORTED_PROTOCOL))


@pytest.mark.parametrize(("version", "spoken"), [("5", V5), ("3.1.1", V311)])
def test_what_is_configured_is_spoken(version: str, spoken: MQTTProtocolVersion) -> None:
    dialect = ProtocolVersion(version)
    silence(dialect)
    assert dialect.protocol() == spoken
