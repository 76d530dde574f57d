from __future__ import annotations

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from edge.mqtt.broker_limits import ALL_FEATURES, Features
from edge.mqtt.feature_fallback import (
    QOS_NOT_SUPPORTED,
    RETAIN_NOT_SUPPORTED,
    FeatureFallback,
)

NOT_RETAINED, QOS_0, NEITHER = Features(retain=False), Features(qos=0), Features(False, 0)
NOT_AUTHORIZED = 135


def reason(value: int) -> ReasonCode:
    return ReasonCode(PacketTypes.CONNACK, identifier=value)


def test_reasons_of_mqtt_5_exclude_one_feature_each() -> None:
    fallback = FeatureFallback()
    assert not fallback.refused(reason(NOT_AUTHORIZED))
    assert fallback.features == ALL_FEATURES
    assert fallback.refused(reason(RETAIN_NOT_SUPPORTED))
    assert fallback.features == NOT_RETAINED
    assert fallback.refused(reason(QOS_NOT_SUPPORTED))
    assert fallback.features == NEITHER
    assert not fallback.refused(reason(QOS_NOT_SUPPORTED))


def test_closed_connections_exclude_features_in_turn() -> None:
    fallback = FeatureFallback()
    tried = [fallback.features]
    while fallback.closed():
        tried.append(fallback.features)
    assert tried == [ALL_FEATURES, ALL_FEATURES, NOT_RETAINED, QOS_0, NEITHER]
    assert fallback.features == ALL_FEATURES


def test_all_features_are_tried_again_before_those_that_worked() -> None:
    fallback = FeatureFallback()
    fallback.worked(QOS_0)
    assert fallback.features == ALL_FEATURES
    assert fallback.closed()
    assert fallback.features == QOS_0
