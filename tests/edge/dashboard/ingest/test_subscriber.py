"""The subscriber at a real broker: no message is lost, and each failure is reported."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from edge.dashboard.ingest.broker_connection import MqttSession, ReceivedMessage, Subscription
from edge.dashboard.ingest.subscriber import Subscriber
from edge.mqtt.broker import Broker
from tests.support.mqtt.brokers import Mosquitto
from tests.support.mqtt.limited_broker import LimitedBroker, Limits
from tests.support.ports import free_port
from tests.support.waiting import wait_until


class Harness:
    """A subscriber, and a record of what it reports."""

    def __init__(self, broker: Broker, group: str = "", acknowledges: bool = True) -> None:
        self.messages: list[ReceivedMessage] = []
        self.states: list[tuple[bool, str]] = []
        self._acknowledges = acknowledges
        self.subscriber = Subscriber(
            broker,
            "maskpatrol",
            "desk",
            self._receive,
            lambda connected, reason: self.states.append((connected, reason)),
            group,
        )

    def _receive(self, message: ReceivedMessage | None) -> None:
        assert message is not None
        self.messages.append(message)
        if self._acknowledges:
            message.acknowledge()

    def connect(self) -> Harness:
        self.subscriber.start()
        wait_until(lambda: (True, "") in self.states, "the subscriber is connected")
        return self

    @property
    def payloads(self) -> list[bytes]:
        return [message.payload for message in self.messages]


@pytest.fixture
def publisher(mosquitto: Mosquitto) -> Iterator[paho.Client]:
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.connect(mosquitto.broker.host, mosquitto.broker.port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


def publish(client: paho.Client, leaf: str, payload: bytes, retain: bool = False) -> None:
    client.publish(f"maskpatrol/door1/{leaf}", payload, 1, retain).wait_for_publish(20)


def test_all_kinds_of_messages_are_received(mosquitto: Mosquitto, publisher: paho.Client) -> None:
    publish(publisher, "status", b"online", retain=True)
    harness = Harness(mosquitto.broker).connect()
    for leaf in ("events", "state", "health", "info", "cmd"):
        publish(publisher, leaf, leaf.encode())
    publish(publisher, "events", b"last")
    wait_until(lambda: b"last" in harness.payloads, "the last message is received")
    harness.subscriber.stop()
    found = {(m.topic.split("/")[2], m.payload, m.retained, m.qos) for m in harness.messages}
    assert found == {
        ("status", b"online", True, 0),
        ("events", b"events", False, 1),
        ("events", b"last", False, 1),
        *((leaf, leaf.encode(), False, 0) for leaf in ("state", "health", "info")),
    }


def test_events_wait_while_not_connected(mosquitto: Mosquitto, publisher: paho.Client) -> None:
    Harness(mosquitto.broker).connect().subscriber.stop()
    for number in range(30):
        publish(publisher, "events", str(number).encode())
    harness = Harness(mosquitto.broker).connect()
    wait_until(lambda: len(harness.messages) == 30, "all events are received")
    harness.subscriber.stop()
    assert harness.payloads == [str(number).encode() for number in range(30)]


def test_unacknowledged_event_is_sent_again(mosquitto: Mosquitto, publisher: paho.Client) -> None:
    first = Harness(mosquitto.broker, acknowledges=False).connect()
    publish(publisher, "events", b"important")
    wait_until(lambda: first.payloads == [b"important"], "the event is received")
    first.subscriber.stop()
    second = Harness(mosquitto.broker).connect()
    wait_until(lambda: second.payloads == [b"important"], "the event is received again")
    second.subscriber.stop()
    third = Harness(mosquitto.broker).connect()
    publish(publisher, "events", b"later")
    wait_until(lambda: b"later" in third.payloads, "a later event is received")
    third.subscriber.stop()
    assert third.payloads == [b"later"]


def test_lost_broker_is_reported_until_it_returns(mosquitto: Mosquitto) -> None:
    harness = Harness(mosquitto.broker).connect()
    mosquitto.stop()
    wait_until(lambda: not harness.states[-1][0], "the loss is reported")
    assert harness.states[-1][1] != ""
    mosquitto.start()
    wait_until(lambda: harness.states[-1][0], "the connection is reported")
    harness.subscriber.stop()
    assert harness.states[-1] == (False, "stopped")


def test_unreachable_broker_is_reported_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    harness = Harness(Broker("127.0.0.1", free_port()))
    harness.subscriber.start()
    wait_until(lambda: len(harness.states) >= 3, "three attempts fail")
    harness.subscriber.stop()
    assert all(not connected for connected, _ in harness.states)
    logged = [r.getMessage() for r in caplog.records if r.name.endswith("ingest.subscriber")]
    assert logged == [harness.states[0][1]]


def test_stop_while_the_broker_is_unreachable() -> None:
    harness = Harness(Broker("127.0.0.1", free_port()))
    harness.subscriber.start()
    harness.subscriber.stop()
    assert harness.states[-1] == (False, "stopped")


def test_leaving_the_group_hands_events_over(mosquitto: Mosquitto, publisher: paho.Client) -> None:
    leaving = Harness(mosquitto.broker, "desks").connect()
    leaving.subscriber.stop(leave_group=True)
    publish(publisher, "events", b"for the others")
    returned = Harness(mosquitto.broker, "desks").connect()
    publish(publisher, "events", b"now")
    wait_until(lambda: b"now" in returned.payloads, "the next event is received")
    returned.subscriber.stop()
    assert returned.payloads == [b"now"]


def test_refused_subscription_is_reported(tmp_path: Path) -> None:
    # Mosquitto's ACL files cannot forbid subscriptions; its plugin for dynamic rules can.
    plugin = next(Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"))
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps({"defaultACLAccess": {"subscribe": False}}))
    server = Mosquitto(tmp_path, more=(f"plugin {plugin}", f"plugin_opt_config_file {rules}"))
    server.start()
    harness = Harness(server.broker)
    harness.subscriber.start()
    wait_until(lambda: bool(harness.states), "the failure is reported")
    harness.subscriber.stop()
    server.stop()
    connected, reason = harness.states[0]
    assert not connected
    assert "does not allow the dashboard to subscribe to maskpatrol/+/events" in reason


@pytest.mark.parametrize("codes", [0, 1])
def test_answer_without_all_reason_codes_is_a_refusal(codes: int) -> None:
    server = LimitedBroker(Limits(max_suback_codes=codes))
    harness = Harness(server.broker)
    harness.subscriber.start()
    wait_until(lambda: bool(harness.states), "the failure is reported")
    harness.subscriber.stop()
    server.close()
    connected, reason = harness.states[0]
    assert not connected
    assert "does not allow the dashboard to subscribe to maskpatrol/+/events" in reason


@pytest.mark.parametrize(
    ("group", "is_mqtt_5", "events"),
    [
        ("", True, "maskpatrol/+/events"),
        ("desks", True, "$share/desks/maskpatrol/+/events"),
        ("desks", False, "maskpatrol/+/events"),
    ],
)
def test_only_events_are_shared(group: str, is_mqtt_5: bool, events: str) -> None:
    session = MqttSession(Broker("localhost", 1883), "desk", "maskpatrol", group)
    found = session.subscriptions(is_mqtt_5)
    assert found[0] == Subscription(events, 1, True)
    assert [each.topic_filter for each in found[1:]] == [
        f"maskpatrol/+/{leaf}" for leaf in ("status", "state", "health", "info")
    ]
    assert {(each.qos, each.retain_as_published) for each in found[1:]} == {(0, False)}
