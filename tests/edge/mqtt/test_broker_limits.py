"""A publisher keeps to what its broker allows: real mosquitto, and a broker that is stricter."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.mqtt.broker import RefusedError
from edge.mqtt.broker_limits import BrokerLimits, Features
from edge.outbox.outbox import Outbox
from tests.support.mqtt.brokers import Mosquitto, Subscriber
from tests.support.mqtt.limited_broker import LimitedBroker, Limits
from tests.support.mqtt.publishers import StartPublisher
from tests.support.mqtt.tcp_relay import Relay
from tests.support.waiting import wait_until

STOP_S = 5.0
ACK_DELAY_S = 0.02
#: The bytes of a CONNECT of MQTT 3.1.1.
CONNECT_311 = b"\x00\x04MQTT\x04"

StartBroker = Callable[..., LimitedBroker]


@pytest.fixture
def start_broker() -> Iterator[StartBroker]:
    started: list[LimitedBroker] = []

    def start(ack_delay_s: float = 0.0, **limits: Any) -> LimitedBroker:
        started.append(LimitedBroker(Limits(**limits), ack_delay_s))
        return started[-1]

    yield start
    for server in started:
        server.close()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def numbers(server: LimitedBroker) -> list[int]:
    return [event["n"] for event in server.bodies("events")]


def test_limits_are_read_from_the_connack() -> None:
    properties = Properties(PacketTypes.CONNACK)
    properties.ReceiveMaximum = 10
    properties.MaximumQoS = 1
    properties.RetainAvailable = 0
    properties.WildcardSubscriptionAvailable = 0
    properties.MaximumPacketSize = 4096
    properties.ServerKeepAlive = 5
    properties.AssignedClientIdentifier = "assigned"
    assert BrokerLimits.from_properties(properties) == BrokerLimits(
        10, 1, False, False, 4096, 5, "assigned"
    )
    assert BrokerLimits.from_properties(Properties(PacketTypes.CONNACK)) == BrokerLimits()
    assert BrokerLimits.from_properties(None) == BrokerLimits()


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (BrokerLimits(), Features()),
        (BrokerLimits(maximum_qos=1), Features()),
        (BrokerLimits(maximum_qos=0, retain_available=False), Features(retain=False, qos=0)),
    ],
)
def test_features_are_those_within_the_limits(limits: BrokerLimits, expected: Features) -> None:
    assert Features().within(limits) == expected


@pytest.mark.parametrize("receive_maximum", [1, 2, 10])
def test_messages_in_flight_stay_within_receive_maximum(
    outbox: Outbox,
    start_broker: StartBroker,
    start_publisher: StartPublisher,
    receive_maximum: int,
) -> None:
    """Events, retained messages and replies count together."""
    server = start_broker(ACK_DELAY_S, receive_maximum=receive_maximum)
    server.acknowledging.clear()
    for n in range(40):
        outbox.put({"n": n})
    publisher = start_publisher(server.broker)
    wait_until(lambda: server.in_flight >= receive_maximum, "a full window")
    server.acknowledging.set()
    wait_until(lambda: "maskpatrol/door1/cmd/+" in server.filters, "the subscription")
    for n in range(10):
        publisher.retain("state", {"people": n}, qos=1)
        publisher.retain("info", {"version": n}, qos=1)
        server.send("maskpatrol/door1/cmd/ping", json.dumps({"transaction": n}).encode())
    wait_until(lambda: outbox.depth() == 0, "delivery")
    wait_until(lambda: len(server.bodies("ping")) == 10, "the replies")
    publisher.stop(STOP_S)
    assert server.violations == []
    assert server.max_in_flight == receive_maximum
    assert publisher.connections == 1
    assert numbers(server) == list(range(40))
    assert server.bodies("state")[-1] == {"people": 9}
    assert server.bodies("info")[-1] == {"version": 9}


def test_no_kind_of_message_waits_for_all_of_another(
    outbox: Outbox, start_broker: StartBroker, start_publisher: StartPublisher
) -> None:
    """With one message in flight at a time, many waiting events delay neither a reply nor the
    state, and many commands do not delay events."""
    server = start_broker(receive_maximum=1)
    server.acknowledging.clear()
    for n in range(20):
        outbox.put({"n": n})
    publisher = start_publisher(server.broker)
    wait_until(lambda: "maskpatrol/door1/cmd/+" in server.filters, "the subscription")
    publisher.retain("state", {"people": 1}, qos=1)
    for n in range(20):
        server.send("maskpatrol/door1/cmd/ping", json.dumps({"transaction": n}).encode())
    wait_until(lambda: len(publisher._responder._waiting) == 20, "the commands wait")
    server.acknowledging.set()
    wait_until(lambda: outbox.depth() == 0, "delivery")
    leaves = [message.topic.rpartition("/")[2] for message in list(server.received)]
    assert leaves[0] == "status"
    assert {"state", "events", "ping"} <= set(leaves[:4])
    assert max(leaves[4:24].count("events"), leaves[4:24].count("ping")) <= 11


def test_stop_with_a_full_window_sends_nothing_more(
    outbox: Outbox, start_broker: StartBroker, start_publisher: StartPublisher
) -> None:
    """The broker then publishes the will instead of our `offline`."""
    server = start_broker(receive_maximum=2)
    server.acknowledging.clear()
    for n in range(5):
        outbox.put({"n": n})
    publisher = start_publisher(server.broker)
    wait_until(lambda: server.in_flight == 2, "a full window")
    publisher.stop(0.2)
    assert server.violations == []
    assert [m.payload for m in server.received if m.topic.endswith("status")] == [b"online"]
    assert outbox.depth() == 5


def test_stop_waits_for_room_for_offline(
    start_broker: StartBroker, start_publisher: StartPublisher
) -> None:
    """Without `offline`, messages that paho has not written yet would be lost."""
    server = start_broker(ACK_DELAY_S, receive_maximum=1)
    publisher = start_publisher(server.broker)
    wait_until(lambda: publisher.connected, "connected")
    for people in range(50):
        publisher.retain("state", {"people": people}, qos=1)
    publisher.stop(STOP_S)
    assert server.bodies("state")[-1] == {"people": 49}
    assert server.received[-1].payload == b"offline"
    assert server.violations == []


def test_unacknowledged_message_of_any_kind_ends_the_connection(
    outbox: Outbox,
    start_broker: StartBroker,
    start_publisher: StartPublisher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With Receive Maximum 1, an unacknowledged `online` would keep all events waiting."""
    monkeypatch.setattr("edge.mqtt.send_window.ACK_TIMEOUT_S", 0.3)
    server = start_broker(receive_maximum=1)
    server.acknowledging.clear()
    outbox.put({"n": 1})
    publisher = start_publisher(server.broker)
    wait_until(lambda: "does not acknowledge any message" in str(publisher.failure), "the loss")
    server.acknowledging.set()
    wait_until(lambda: outbox.depth() == 0, "delivery on the next connection")


@pytest.mark.parametrize(("version", "announced"), [("5", True), ("5", False), ("3.1.1", False)])
@pytest.mark.parametrize("checks_will", [True, False])
@pytest.mark.parametrize(("retain", "maximum_qos"), [(False, 2), (False, 1), (True, 0), (False, 0)])
def test_broker_with_fewer_features_receives_events(
    outbox: Outbox,
    start_broker: StartBroker,
    start_publisher: StartPublisher,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    announced: bool,
    checks_will: bool,
    retain: bool,
    maximum_qos: int,
) -> None:
    """The broker refuses a will or a message beyond its limits, in 3.1.1 without a reason."""
    monkeypatch.setattr("edge.mqtt.reconnect_backoff.FIRST_DELAY_S", 0.01)
    monkeypatch.setattr("edge.mqtt.reconnect_backoff.MAX_DELAY_S", 0.02)
    server = start_broker(
        retain=retain, maximum_qos=maximum_qos, checks_will=checks_will, announced=announced
    )
    outbox.put({"n": 0})
    publisher = start_publisher(replace(server.broker, version=version))
    publisher.retain("state", {"people": 1}, qos=1)
    wait_until(lambda: 0 in numbers(server), "delivery")
    wait_until(lambda: bool(server.bodies("state")), "the state")
    wait_until(lambda: outbox.depth() == 0, "the end of the delivery")
    links = len(server.links)
    server.links[-1].close()
    wait_until(lambda: len(server.links) > links, "a new attempt")
    outbox.put({"n": 1})
    publisher.wake()
    wait_until(lambda: 1 in numbers(server), "delivery after a reconnect")
    publisher.stop(STOP_S)
    missing = [text for text in warnings(caplog) if " support" in text and " lost: " not in text]
    expected = ["retained messages"] * (not retain) + ["only messages of QoS 0"] * (not maximum_qos)
    assert len(missing) == len(expected)
    assert all(any(part in text for text in missing) for part in expected)
    assert not any("TLS" in text for text in warnings(caplog))


@pytest.mark.parametrize("version", ["auto", "5", "3.1.1"])
@pytest.mark.parametrize(
    ("setting", "warning"),
    [
        ("retain_available false", "does not support retained messages"),
        ("max_qos 0", "supports only messages of QoS 0"),
    ],
)
def test_mosquitto_with_fewer_features_receives_events(
    tmp_path: Path,
    outbox: Outbox,
    start_publisher: StartPublisher,
    caplog: pytest.LogCaptureFixture,
    version: str,
    setting: str,
    warning: str,
) -> None:
    server = Mosquitto(tmp_path, more=(setting,)).start()
    listener = Subscriber(server.broker)
    outbox.put({"n": 0})
    publisher = start_publisher(replace(server.broker, version=version))
    publisher.retain("state", {"people": 1}, qos=1)
    listener.wait_for(lambda: bool(listener.bodies("events")), "the event")
    listener.wait_for(lambda: bool(listener.bodies("state")), "the state")
    listener.wait_for_status("online")
    wait_until(lambda: outbox.depth() == 0, "the end of the delivery")
    publisher.stop(STOP_S)
    listener.wait_for_status("offline")
    assert publisher.connections == 1
    (text,) = warnings(caplog)
    assert warning in text
    listener.close()
    server.stop()


def test_disconnect_of_a_3_1_1_broker_is_taken_for_a_closed_connection(
    outbox: Outbox, start_broker: StartBroker, start_publisher: StartPublisher
) -> None:
    """Only MQTT 5 allows a broker to send DISCONNECT, so paho reports a protocol error."""
    server = start_broker(retain=False, checks_will=False, disconnects_311=True)
    outbox.put({"n": 0})
    start_publisher(replace(server.broker, version="3.1.1"))
    wait_until(lambda: outbox.depth() == 0, "delivery")


def test_one_closed_attempt_costs_no_feature(
    mosquitto: Mosquitto, start_publisher: StartPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    """A broker of 3.1.1 may also close a connection because it is starting."""
    relay = Relay(mosquitto.broker, closes_on=CONNECT_311, times=1)
    publisher = start_publisher(replace(relay.broker, version="3.1.1"))
    wait_until(lambda: publisher.connected, "connected")
    late = Subscriber(mosquitto.broker)
    late.wait_for_status("online")  # which is retained
    assert warnings(caplog) == []
    late.close()
    relay.close()


@pytest.mark.slow
def test_feature_that_the_broker_gains_is_used_again(
    tmp_path: Path, start_publisher: StartPublisher
) -> None:
    server = Mosquitto(tmp_path, more=("retain_available false",)).start()
    publisher = start_publisher(replace(server.broker, version="3.1.1"))
    wait_until(lambda: publisher.connected, "connected")
    server.stop()
    config = tmp_path / "mosquitto.conf"
    config.write_text(config.read_text().replace("retain_available false\n", ""))
    wait_until(lambda: not publisher.connected, "the loss")
    server.start()
    wait_until(lambda: publisher.connections == 2, "connected again")
    late = Subscriber(server.broker)
    late.wait_for_status("online")
    late.close()
    publisher.stop(STOP_S)
    server.stop()


@pytest.mark.slow
def test_keep_alive_of_the_broker_replaces_ours(
    start_broker: StartBroker, start_publisher: StartPublisher
) -> None:
    server = start_broker(keepalive_s=1)
    publisher = start_publisher(replace(server.broker, keepalive_s=3600))
    wait_until(lambda: server.pings >= 2, "pings")
    assert server.connects[0].keepalive_s == 3600
    assert publisher.connections == 1


def test_client_identifier_can_be_set(
    start_broker: StartBroker, start_publisher: StartPublisher
) -> None:
    server = start_broker(only_client_id="things/door:7")
    publisher = start_publisher(replace(server.broker, client_id="things/door:7"))
    wait_until(lambda: publisher.connected, "connected")


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_refused_client_identifier_names_the_setting(
    start_broker: StartBroker, start_publisher: StartPublisher, version: str
) -> None:
    server = start_broker(only_client_id="things/door:7")
    publisher = start_publisher(replace(server.broker, version=version))
    wait_until(lambda: publisher.failure is not None, "the refusal")
    assert isinstance(publisher.failure, RefusedError)
    assert "refuses the client identifier 'mask-patrol-door1': set mqtt.client_id" in str(
        publisher.failure
    )


def test_assigned_client_identifier_is_logged(
    start_broker: StartBroker, start_publisher: StartPublisher, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server = start_broker(assigned_client_id="tenant-1-door1")
    publisher = start_publisher(server.broker)
    wait_until(lambda: publisher.connected, "connected")
    assert any(text.endswith("as tenant-1-door1") for text in caplog.messages)


def test_commands_are_received_without_wildcards(
    start_broker: StartBroker, start_publisher: StartPublisher
) -> None:
    server = start_broker(wildcards=False)
    start_publisher(server.broker, verbs={"pause": lambda: {"paused": True}})
    topics = {"maskpatrol/door1/cmd/ping", "maskpatrol/door1/cmd/pause"}
    wait_until(lambda: set(server.filters) == topics, "the subscriptions")
    server.send("maskpatrol/door1/cmd/pause", b"")
    wait_until(lambda: bool(server.bodies("pause")), "the reply")
    assert server.violations == []


def test_control_characters_in_an_assigned_client_identifier_are_escaped() -> None:
    """The identifier is logged, where they would look like another line."""
    properties = Properties(PacketTypes.CONNACK)  # type: ignore[no-untyped-call]
    properties.AssignedClientIdentifier = "a\n\x1b[2J"
    assert BrokerLimits.from_properties(properties).client_id == r"a\n\x1b[2J"
