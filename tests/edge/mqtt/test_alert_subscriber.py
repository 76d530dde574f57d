from __future__ import annotations

import json
from typing import Any

import pytest

from edge.common.errors import UserError
from edge.mqtt.alert_subscriber import AlertSubscriber, describe_event
from edge.mqtt.broker import Broker
from tests.support.mqtt.brokers import Mosquitto, Subscriber
from tests.support.mqtt.event_payloads import END, START
from tests.support.mqtt.limited_broker import LimitedBroker, Limits
from tests.support.ports import free_port
from tests.support.waiting import wait_until


def test_lines_show_camera_alert_and_score() -> None:
    assert "● door1/entrance  NO MASK   score 0.93  #7 ABCDEF" in describe_event(START)
    assert "○ door1/entrance  over      left, after 4.2 s  #8 ABCDEF" in describe_event(END)
    assert "(delivered late)" in describe_event({**START, "replayed": True})


def test_control_characters_are_removed() -> None:
    line = describe_event({**START, "camera": "\x1b[2J\x07evil\n"})
    assert "\x1b" not in line
    assert "\n" not in line


def test_alerts_are_shown_once_and_invalid_messages_counted(
    mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    lines: list[str] = []
    watcher = AlertSubscriber(mosquitto.broker, "maskpatrol", lines.append)
    watcher.start()
    invalid: list[Any] = [b"\xff\xfe", b"[]", b"null", b"{}", json.dumps({**START, "time": 3}), b""]
    huge = json.dumps(START).replace('"seq": 7', '"seq": 1e999')
    for body in [
        *invalid,
        json.dumps({**END, "ended_by": "magic"}),
        b"x" * 100_000,
        b"[" * 60_000,
        huge,
    ]:
        subscriber.client.publish("maskpatrol/door1/events", body, qos=1)
    for event in (START, START, END):
        subscriber.client.publish("maskpatrol/door1/events", json.dumps(event), qos=1)
    assert watcher.wait_for(2, 10.0)
    assert [("NO MASK" in line, "over" in line) for line in lines] == [(True, False), (False, True)]
    assert watcher.rejected == 10
    watcher.stop()


@pytest.mark.slow
def test_reconnects_after_broker_restart(mosquitto: Mosquitto) -> None:
    lines: list[str] = []
    watcher = AlertSubscriber(mosquitto.broker, "maskpatrol", lines.append)
    watcher.start()
    mosquitto.stop()
    mosquitto.start()
    sender = Subscriber(mosquitto.broker)

    def shown() -> bool:
        sender.client.publish("maskpatrol/door1/events", json.dumps(START), qos=1)
        return watcher.received == 1

    wait_until(shown, "an alert after the restart")
    assert len(lines) == 1
    watcher.stop()
    sender.close()


def test_unreachable_broker_is_reported() -> None:
    with pytest.raises(UserError, match="no broker at"):
        AlertSubscriber(Broker("127.0.0.1", free_port()), "maskpatrol", str).start()


def test_answer_without_a_reason_code_is_a_refusal() -> None:
    """Before, it ended paho's thread with a traceback, and the command waited in vain."""
    server = LimitedBroker(Limits())
    server.hostile_answers.append([b"\x20\x02\x00\x00", b"\x90\x02\x00\x01"])
    with pytest.raises(UserError, match="does not let us read maskpatrol/"):
        AlertSubscriber(server.broker, "maskpatrol", str).start()
    server.close()
