"""Commands and replies through a real broker, in both versions of MQTT."""

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
from tests.support.brokers import (
    Mosquitto,
    Subscriber,
    mosquitto_without_subscriptions,
    wait_until,
)
from tests.support.publishers import Start
from tests.support.tcp_relay import Relay

STOP_S = 5.0
CMD = "maskpatrol/door1/cmd/"


@pytest.fixture(params=["5", "3.1.1"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def online(subscriber: Subscriber) -> None:
    subscriber.wait_for(lambda: subscriber.bodies("status")[-1:] == ["online"], "online")


def replies(subscriber: Subscriber) -> list[tuple[str, Any]]:
    return [
        (m.topic.removeprefix("maskpatrol/door1/reply/"), json.loads(m.payload)["transaction"])
        for m in list(subscriber.messages)
        if "/reply/" in m.topic
    ]


def say(subscriber: Subscriber, verb: str, transaction: Any, retain: bool = False) -> None:
    body = json.dumps({"transaction": transaction})
    subscriber.client.publish(CMD + verb, body, qos=1, retain=retain)


def test_a_command_is_answered_on_its_own_topic_and_nothing_is_kept(
    mosquitto: Mosquitto, subscriber: Subscriber, start: Start, version: str
) -> None:
    calls: list[int] = []

    def count() -> dict[str, Any]:
        calls.append(1)
        return {"calls": len(calls)}

    start(replace(mosquitto.broker, version=version), verbs={"count": count})
    online(subscriber)
    say(subscriber, "count", "a")
    say(subscriber, "count", 2.5)
    subscriber.wait_for(lambda: len(subscriber.bodies("reply/count")) == 2, "two replies")
    assert subscriber.bodies("reply/count") == [
        {"calls": 1, "status": "ok", "transaction": "a"},
        {"calls": 2, "status": "ok", "transaction": 2.5},
    ]
    say(subscriber, "fly", 3)
    subscriber.wait_for(lambda: bool(subscriber.bodies("reply/fly")), "an error")
    assert subscriber.bodies("reply/fly")[0]["error"] == (
        "unknown command 'fly'; there are: count, ping"
    )
    late = Subscriber(mosquitto.broker)
    late.wait_for(lambda: late.bodies("status") == ["online"], "what is retained")
    assert not replies(late)
    late.close()


def test_topics_without_a_verb_are_ignored(
    mosquitto: Mosquitto, subscriber: Subscriber, start: Start, version: str
) -> None:
    start(replace(mosquitto.broker, version=version))
    online(subscriber)
    for verb in ("", "PING", "ping/", "ping/more", "päng", "p" * 33, "$x", "a b"):
        say(subscriber, verb, "no")
    say(subscriber, "ping", "yes")
    subscriber.wait_for(lambda: bool(replies(subscriber)), "the reply")
    assert replies(subscriber) == [("ping", "yes")]


def test_a_command_that_the_broker_kept_is_ignored(
    mosquitto: Mosquitto, subscriber: Subscriber, start: Start, version: str
) -> None:
    say(subscriber, "ping", "old", retain=True)
    subscriber.wait_for(lambda: any("/cmd/" in m.topic for m in subscriber.messages), "kept")
    start(replace(mosquitto.broker, version=version))
    online(subscriber)
    say(subscriber, "ping", "new")
    subscriber.wait_for(lambda: bool(replies(subscriber)), "the reply")
    assert replies(subscriber) == [("ping", "new")]


def test_a_retained_command_is_ignored_live_too_where_the_broker_marks_it(
    mosquitto: Mosquitto, subscriber: Subscriber, start: Start, version: str
) -> None:
    """In 3.1.1 the mark is taken off for who listens already: nobody can tell."""
    start(replace(mosquitto.broker, version=version))
    online(subscriber)
    say(subscriber, "ping", "retained", retain=True)
    say(subscriber, "ping", "plain")
    subscriber.wait_for(lambda: ("ping", "plain") in replies(subscriber), "the reply")
    expected = [("ping", "plain")]
    if version == "3.1.1":
        expected.insert(0, ("ping", "retained"))
    assert replies(subscriber) == expected


def test_commands_are_heard_again_after_a_new_connection(
    mosquitto: Mosquitto, subscriber: Subscriber, start: Start, version: str
) -> None:
    relay = Relay(mosquitto.broker)
    start(replace(relay.broker, version=version))
    online(subscriber)
    relay.cut_connections()
    subscriber.wait_for(lambda: subscriber.bodies("status").count("online") == 2, "online again")
    say(subscriber, "ping", 1)
    subscriber.wait_for(lambda: replies(subscriber) == [("ping", 1)], "the reply")
    relay.close()


def test_a_broker_that_forbids_commands_still_gets_the_events(
    tmp_path: Path,
    outbox: Outbox,
    start: Start,
    version: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = mosquitto_without_subscriptions(tmp_path).start()
    outbox.put({"n": 0})
    publisher = start(replace(server.broker, version=version))
    wait_until(lambda: outbox.depth() == 0, "delivered")
    hint = "does not let us read maskpatrol/door1/cmd/+"
    wait_until(lambda: any(hint in r.getMessage() for r in caplog.records), "the warning")
    publisher.stop(STOP_S)
    assert len([r for r in caplog.records if r.levelno >= logging.WARNING]) == 1
    server.stop()


def test_a_flood_of_commands_is_bounded_and_events_overtake_it(
    mosquitto: Mosquitto,
    subscriber: Subscriber,
    outbox: Outbox,
    start: Start,
    version: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A verb that hangs holds the worker; meanwhile 100 commands wait and the rest is dropped."""
    go, hanging = threading.Event(), threading.Event()

    def hang() -> dict[str, Any]:
        hanging.set()
        assert go.wait(60)
        return {}

    publisher = start(replace(mosquitto.broker, version=version), verbs={"hang": hang})
    online(subscriber)
    say(subscriber, "hang", "first")
    assert hanging.wait(20)
    flood = 3 * MAX_WAITING_MESSAGES
    for n in range(flood):
        subscriber.client.publish(CMD + "ping", json.dumps({"transaction": n}), qos=1)
    subscriber.wait_for(
        lambda: sum(m.topic == CMD + "ping" for m in subscriber.messages) == flood, "the flood"
    )
    # The hanging one takes a place, and what is queued last is the word that there is none.
    wait_until(lambda: publisher._queue.signals.qsize() == MAX_WAITING_MESSAGES, "a full queue")
    outbox.put({"n": 0})
    publisher.wake()
    go.set()
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "the event")
    before = [m.topic for m in subscriber.messages if "/reply/" in m.topic or "/events" in m.topic]
    assert before.index("maskpatrol/door1/events") <= 10, "an event waits behind few replies"
    say(subscriber, "ping", "last")
    subscriber.wait_for(lambda: replies(subscriber)[-1:] == [("ping", "last")], "the last")
    answered = [t for verb, t in replies(subscriber) if verb == "ping"]
    assert answered[:-1] == sorted(answered[:-1])
    assert len(answered) < flood
    warnings = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "commands arrive too fast" in warnings[0]


def test_replies_that_are_not_acknowledged_are_followed_by_few(
    mosquitto: Mosquitto, subscriber: Subscriber, outbox: Outbox, start: Start, version: str
) -> None:
    relay = Relay(mosquitto.broker, drops_type=0x40)  # PUBACK
    publisher = start(replace(relay.broker, version=version))
    online(subscriber)
    for n in range(30):
        say(subscriber, "ping", n)
    wait_until(
        lambda: len(publisher._responder._waiting) == 30 - MAX_REPLIES_IN_FLIGHT, "the rest waits"
    )
    subscriber.wait_for(
        lambda: len(replies(subscriber)) == MAX_REPLIES_IN_FLIGHT, "the first replies"
    )
    outbox.put({"n": 0})
    publisher.wake()
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "an event all the same")
    assert len(replies(subscriber)) == MAX_REPLIES_IN_FLIGHT
    relay.close()
