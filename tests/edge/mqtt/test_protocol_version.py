from __future__ import annotations

import pytest
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from edge.mqtt.protocol_version import MAX_UNANSWERED, UNSUPPORTED_PROTOCOL, ProtocolVersion

V5, V311 = MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311
NOT_AUTHORIZED = 135


def reason(value: int) -> ReasonCode:
    return ReasonCode(PacketTypes.CONNACK, identifier=value)


def leave_unanswered(version: ProtocolVersion, attempts: int = MAX_UNANSWERED) -> None:
    for _ in range(attempts):
        version.unanswered()


def test_3_1_1_is_tried_once_after_unanswered_attempts() -> None:
    version = ProtocolVersion("auto")
    assert version.protocol() == V5
    leave_unanswered(version, MAX_UNANSWERED - 1)
    assert version.protocol() == V5
    leave_unanswered(version, 1)
    assert version.protocol() == V311
    version.accepted()
    assert version.protocol() == V5


def test_acceptance_of_3_1_1_does_not_prove_5() -> None:
    version = ProtocolVersion("auto")
    leave_unanswered(version)
    version.accepted()
    leave_unanswered(version)
    assert version.protocol() == V311


def test_broker_that_accepted_5_keeps_it() -> None:
    version = ProtocolVersion("auto")
    version.accepted()
    leave_unanswered(version, 100)
    assert version.protocol() == V5


def test_rejected_version_switches_to_3_1_1() -> None:
    version = ProtocolVersion("auto")
    version.accepted()
    assert not version.refused(reason(NOT_AUTHORIZED))
    assert version.protocol() == V5
    assert version.refused(reason(UNSUPPORTED_PROTOCOL))
    assert version.protocol() == V311
    assert not version.refused(reason(UNSUPPORTED_PROTOCOL))


@pytest.mark.parametrize(("configured", "used"), [("5", V5), ("3.1.1", V311)])
def test_configured_version_is_used(configured: str, used: MQTTProtocolVersion) -> None:
    version = ProtocolVersion(configured)
    leave_unanswered(version)
    assert version.protocol() == used
