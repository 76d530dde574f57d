"""Commands and replies through a real broker, in both MQTT versions."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.mqtt.command_responder import MAX_REPLIES_IN_FLIGHT
from edge.mqtt.connection import MAX_WAITING_MESSAGES
from edge.outbox.outbox import Outbox
from tests.support.mqtt.brokers import Mosquitto, Subscriber, mosquitto_without_subscriptions
from tests.support.mqtt.publishers import StartPublisher
from tests.support.mqtt.tcp_relay import Relay
from tests.support.waiting import wait_until

STOP_S = 5.0
CMD = "maskpatrol/door1/cmd/"


@pytest.fixture(params=["5", "3.1.1"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def replies(subscriber: Subscriber) -> list[tuple[str, Any]]:
    return [
        (m.topic.removeprefix("maskpatrol/door1/reply/"), json.loads(m.payload)["transaction"])
        for m in list(subscriber.messages)
        if "/reply/" in m.topic
    ]


def send(subscriber: Subscriber, verb: str, transaction: Any, retain: bool = False) -> None:
    body = json.dumps({"transaction": transaction})
    subscriber.client.publish(CMD + verb, body, qos=1, retain=retain)


def test_reply_is_published_on_the_verbs_topic(
    mosquitto: Mosquitto, subscriber: Subscriber, start_publisher: StartPublisher, version: str
) -> None:
    calls: list[int] = []

    def count() -> dict[str, Any]:
        calls.append(1)
        return {"calls": len(calls)}

    start_publisher(replace(mosquitto.broker, version=version), verbs={"count": count})
    subscriber.wait_for_status("online")
    send(subscriber, "count", "a")
    send(subscriber, "count", 2.5)
    subscriber.wait_for(lambda: len(subscriber.bodies("reply/count")) == 2, "two replies")
    assert subscriber.bodies("reply/count") == [
        {"calls": 1, "status": "ok", "transaction": "a"},
        {"calls": 2, "status": "ok", "transaction": 2.5},
    ]
    send(subscriber, "fly", 3)
    subscriber.wait_for(lambda: bool(subscriber.bodies("reply/fly")), "an error")
    assert subscriber.bodies("reply/fly")[0]["error"] == (
        "unknown command 'fly'; use one of: count, ping"
    )
    late = Subscriber(mosquitto.broker)
    late.wait_for_status("online")
    assert not replies(late)
    late.close()


def test_topics_without_a_valid_verb_are_ignored(
    mosquitto: Mosquitto, subscriber: Subscriber, start_publisher: StartPublisher, version: str
) -> None:
    start_publisher(replace(mosquitto.broker, version=version))
    subscriber.wait_for_status("online")
    for verb in ("", "PING", "ping/", "ping/more", "päng", "p" * 33, "$x", "a b"):
        send(subscriber, verb, "no")
    send(subscriber, "ping", "yes")
    subscriber.wait_for(lambda: bool(replies(subscriber)), "the reply")
    assert replies(subscriber) == [("ping", "yes")]


def test_stored_retained_command_is_ignored(
    mosquitto: Mosquitto, subscriber: Subscriber, start_publisher: StartPublisher, version: str
) -> None:
    send(subscriber, "ping", "old", retain=True)
    subscriber.wait_for(
        lambda: any("/cmd/" in m.topic for m in subscriber.messages), "the retained command"
    )
    start_publisher(replace(mosquitto.broker, version=version))
    subscriber.wait_for_status("online")
    send(subscriber, "ping", "new")
    subscriber.wait_for(lambda: bool(replies(subscriber)), "the reply")
    assert replies(subscriber) == [("ping", "new")]


def test_live_retained_command_is_ignored_in_mqtt_5(
    mosquitto: Mosquitto, subscriber: Subscriber, start_publisher: StartPublisher, version: str
) -> None:
    """In 3.1.1 the broker clears the retain flag for a client that is already subscribed."""
    start_publisher(replace(mosquitto.broker, version=version))
    subscriber.wait_for_status("online")
    send(subscriber, "ping", "retained", retain=True)
    send(subscriber, "ping", "plain")
    subscriber.wait_for(lambda: ("ping", "plain") in replies(subscriber), "the reply")
    expected = [("ping", "plain")]
    if version == "3.1.1":
        expected.insert(0, ("ping", "retained"))
    assert replies(subscriber) == expected


@pytest.mark.slow
def test_commands_are_received_after_reconnect(
    mosquitto: Mosquitto, subscriber: Subscriber, start_publisher: StartPublisher, version: str
) -> None:
    relay = Relay(mosquitto.broker)
    start_publisher(replace(relay.broker, version=version))
    subscriber.wait_for_status("online")
    relay.cut_connections()
    subscriber.wait_for(lambda: subscriber.bodies("status").count("online") == 2, "online again")
    send(subscriber, "ping", 1)
    subscriber.wait_for(lambda: bool(replies(subscriber)), "the reply")
    assert replies(subscriber) == [("ping", 1)]
    relay.close()


@pytest.mark.slow
def test_events_are_delivered_if_subscription_is_refused(
    tmp_path: Path,
    outbox: Outbox,
    start_publisher: StartPublisher,
    version: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = mosquitto_without_subscriptions(tmp_path).start()
    outbox.put({"n": 0})
    publisher = start_publisher(replace(server.broker, version=version))
    wait_until(lambda: outbox.depth() == 0, "delivery")
    warning = "does not let us read maskpatrol/door1/cmd/+"
    wait_until(lambda: any(warning in r.getMessage() for r in caplog.records), "the warning")
    publisher.stop(STOP_S)
    assert len([r for r in caplog.records if r.levelno >= logging.WARNING]) == 1
    server.stop()


@pytest.mark.slow
def test_excess_commands_are_dropped_and_events_continue(
    mosquitto: Mosquitto,
    subscriber: Subscriber,
    outbox: Outbox,
    start_publisher: StartPublisher,
    version: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """While a handler blocks the worker, 100 commands wait and further ones are dropped."""
    go, hanging = threading.Event(), threading.Event()

    def hang() -> dict[str, Any]:
        hanging.set()
        assert go.wait(60)
        return {}

    publisher = start_publisher(replace(mosquitto.broker, version=version), verbs={"hang": hang})
    subscriber.wait_for_status("online")
    send(subscriber, "hang", "first")
    assert hanging.wait(20)
    flood = 3 * MAX_WAITING_MESSAGES
    for n in range(flood):
        subscriber.client.publish(CMD + "ping", json.dumps({"transaction": n}), qos=1)
    subscriber.wait_for(
        lambda: sum(m.topic == CMD + "ping" for m in subscriber.messages) == flood, "the flood"
    )
    # The queue holds all waiting commands except the blocked command, and then MessagesDropped.
    wait_until(lambda: publisher._queue.signals.qsize() == MAX_WAITING_MESSAGES, "a full queue")
    outbox.put({"n": 0})
    publisher.wake()
    go.set()
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "the event")
    before = [m.topic for m in subscriber.messages if "/reply/" in m.topic or "/events" in m.topic]
    assert before.index("maskpatrol/door1/events") <= 10, "the event waited behind too many replies"
    send(subscriber, "ping", "last")
    subscriber.wait_for(lambda: replies(subscriber)[-1:] == [("ping", "last")], "the last")
    answered = [t for verb, t in replies(subscriber) if verb == "ping"]
    assert answered[:-1] == sorted(answered[:-1])
    assert len(answered) < flood
    warnings = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "commands arrive too fast" in warnings[0]


@pytest.mark.slow
def test_number_of_unacknowledged_replies_is_limited(
    mosquitto: Mosquitto,
    subscriber: Subscriber,
    outbox: Outbox,
    start_publisher: StartPublisher,
    version: str,
) -> None:
    relay = Relay(mosquitto.broker, drops_type=0x40)  # PUBACK
    publisher = start_publisher(replace(relay.broker, version=version))
    subscriber.wait_for_status("online")
    for n in range(30):
        send(subscriber, "ping", n)
    wait_until(
        lambda: len(publisher._responder._waiting) == 30 - MAX_REPLIES_IN_FLIGHT,
        "the other commands wait",
    )
    subscriber.wait_for(
        lambda: len(replies(subscriber)) == MAX_REPLIES_IN_FLIGHT, "the first replies"
    )
    outbox.put({"n": 0})
    publisher.wake()
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "the event")
    assert len(replies(subscriber)) == MAX_REPLIES_IN_FLIGHT
    relay.close()
