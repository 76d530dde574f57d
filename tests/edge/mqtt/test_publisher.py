from __future__ import annotations

import gc
import logging
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from edge.common.clock import now
from edge.common.errors import UserError
from edge.config.settings import MqttSettings
from edge.mqtt.broker import Broker, LoginRefusedError
from edge.mqtt.embedded_broker import EmbeddedBroker
from edge.mqtt.outbox_sender import MAX_EVENTS_IN_FLIGHT
from edge.mqtt.payloads import Topics
from edge.mqtt.protocol_version import MAX_UNANSWERED
from edge.mqtt.publisher import Publisher
from edge.outbox.outbox import Outbox
from tests.support.brokers import PATIENCE_S, Mosquitto, Subscriber, free_port, wait_until
from tests.support.publishers import Start
from tests.support.tcp_relay import Relay

STOP_S = 5.0


def test_events_arrive_in_order_and_leave_the_outbox(
    mosquitto: Mosquitto, subscriber: Subscriber, outbox: Outbox, start: Start
) -> None:
    publisher = start(mosquitto.broker)
    for n in range(100):
        outbox.put({"n": n})
        publisher.wake()
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 100, "100 events")
    assert [(e["n"], e["seq"]) for e in subscriber.bodies("events")] == [
        (n, n + 1) for n in range(100)
    ]
    wait_until(lambda: outbox.depth() == 0, "acknowledged")
    assert publisher.acknowledged == 100


def test_a_connection_on_which_nothing_is_acknowledged_is_given_up(
    mosquitto: Mosquitto,
    subscriber: Subscriber,
    outbox: Outbox,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pings are answered, and yet: as when paho's thread has died of an error of its own."""
    monkeypatch.setattr("edge.mqtt.outbox_sender.ACK_TIMEOUT_S", 0.5)
    relay = Relay(mosquitto.broker, drops_type=0x40)
    publisher = start(relay.broker)
    outbox.put({"n": 1})
    publisher.wake()
    wait_until(lambda: publisher.connections >= 2, "another connection")
    assert outbox.depth() == 1
    assert {e["seq"] for e in subscriber.bodies("events")} == {1}
    relay.close()


def test_what_a_disk_brings_back_goes_out_without_a_new_connection(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    """Old events on a disk that could not be read when the daemon was started."""
    state = tmp_path / "state"
    before = Outbox(state / "outbox.sqlite3", 100)
    for n in range(3):
        before.put({"n": n})
    before.close()
    state.rename(tmp_path / "away")
    state.write_text("no folder")
    moment = [now()]
    outbox = Outbox(state / "outbox.sqlite3", 100, clock=lambda: moment[0])
    publisher = Publisher(mosquitto.broker, Topics("maskpatrol", "door1"), outbox)
    publisher.start()
    outbox.put({"n": 10})
    publisher.wake()
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "the new one")
    state.unlink()
    (tmp_path / "away").rename(state)
    moment[0] = replace(moment[0], boot_s=moment[0].boot_s + 1000.0)
    outbox.run_maintenance()
    publisher.wake()
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 4, "the old ones")
    assert [event["n"] for event in subscriber.bodies("events")] == [10, 0, 1, 2]
    assert publisher.connections == 1
    publisher.stop(STOP_S)
    outbox.close()


def test_the_will_says_offline_when_we_give_a_connection_up(
    mosquitto: Mosquitto,
    subscriber: Subscriber,
    outbox: Outbox,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Or `online` would stay for as long as no other connection comes about."""
    monkeypatch.setattr("edge.mqtt.outbox_sender.ACK_TIMEOUT_S", 0.5)
    relay = Relay(mosquitto.broker, drops_type=0x40)
    publisher = start(relay.broker)
    subscriber.wait_for(lambda: subscriber.bodies("status") == ["online"], "online")
    relay.close_on(b"MQTT", times=1000)
    outbox.put({"n": 1})
    publisher.wake()
    subscriber.wait_for(lambda: subscriber.bodies("status") == ["online", "offline"], "the will")
    relay.close()


def test_the_will_says_offline_when_we_fail(
    mosquitto: Mosquitto,
    subscriber: Subscriber,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publisher = start(mosquitto.broker)
    subscriber.wait_for(lambda: subscriber.bodies("status") == ["online"], "online")

    def fail(*_: object) -> None:
        raise OSError("an error of our own")

    monkeypatch.setattr("edge.mqtt.outbox_sender.OutboxSender.send_waiting", fail)
    publisher.wake()
    subscriber.wait_for(lambda: "offline" in subscriber.bodies("status"), "the will")


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("silent", [True, False])
def test_failed_attempts_leave_nothing_open(
    start: Start, monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    """A port that takes connections and says nothing, or ends them; nothing is collected."""
    monkeypatch.setattr("edge.mqtt.publisher.CONNECT_TIMEOUT_S", 0.02 if silent else 10.0)
    monkeypatch.setattr("edge.mqtt.reconnect_backoff.FIRST_DELAY_S", 0.001)
    monkeypatch.setattr("edge.mqtt.reconnect_backoff.MAX_DELAY_S", 0.001)
    gc.collect()
    gc.disable()
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(PATIENCE_S)
            publisher = start(Broker("127.0.0.1", listener.getsockname()[1]))
            counts = []
            for _ in range(30):
                taken, _ = listener.accept()
                while silent and taken.recv(4096):
                    pass  # until we are given up
                taken.close()
                counts.append(descriptors())
            publisher.stop(0.0)
    finally:
        gc.enable()
    assert max(counts) - min(counts) <= 8  # those of two attempts


def test_events_are_not_retained_and_presence_is(
    mosquitto: Mosquitto, subscriber: Subscriber, outbox: Outbox, start: Start
) -> None:
    publisher = start(mosquitto.broker)
    publisher.retain("state", {"no_mask": False}, qos=1)
    outbox.put({"n": 1})
    publisher.wake()
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "the event")
    late = Subscriber(mosquitto.broker)
    late.wait_for(lambda: bool(late.bodies("state") and late.bodies("status")), "retained")
    assert late.bodies("status") == ["online"]
    assert late.bodies("events") == []
    publisher.stop(STOP_S)
    late.wait_for(lambda: late.bodies("status")[-1] == "offline", "offline on a clean stop")
    late.close()


def test_what_happened_before_the_connection_is_replayed(
    mosquitto: Mosquitto, subscriber: Subscriber, outbox: Outbox, start: Start
) -> None:
    outbox.put({"n": 0})
    publisher = start(mosquitto.broker)
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "the old one")
    outbox.put({"n": 1})
    publisher.wake()
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 2, "the new one")
    assert [e["replayed"] for e in subscriber.bodies("events")] == [True, False]


def test_a_broker_that_comes_late_gets_everything(
    tmp_path: Path, outbox: Outbox, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    server = Mosquitto(tmp_path)
    publisher = start(server.broker)
    for n in range(5):
        outbox.put({"n": n})
        publisher.wake()
    wait_until(lambda: publisher.failure is not None, "a failed attempt")
    server.start()
    wait_until(lambda: outbox.depth() == 0, "delivered")
    warnings = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "no broker at" in warnings[0].getMessage()
    publisher.stop(STOP_S)
    server.stop()


def test_a_restarted_broker_misses_nothing_and_is_told_all_again(
    mosquitto: Mosquitto, outbox: Outbox, start: Start
) -> None:
    publisher = start(mosquitto.broker)
    publisher.retain("state", {"no_mask": True}, qos=1)
    wait_until(lambda: publisher.connected, "connected")
    mosquitto.stop()
    wait_until(lambda: not publisher.connected, "loss noticed")
    seqs = [outbox.put({"n": n}) for n in range(30)]
    mosquitto.start()
    listener = Subscriber(mosquitto.broker)
    wait_until(lambda: outbox.depth() == 0, "delivered")
    publisher.stop(STOP_S)
    listener.wait_for(lambda: "offline" in listener.bodies("status"), "the farewell")
    assert listener.bodies("state")[-1] == {"no_mask": True}
    assert publisher.acknowledged == len(seqs)
    listener.close()


def test_what_was_not_acknowledged_is_sent_again_in_order(
    mosquitto: Mosquitto, subscriber: Subscriber, outbox: Outbox, start: Start
) -> None:
    relay = Relay(mosquitto.broker)
    publisher = start(relay.broker)
    subscriber.wait_for(lambda: subscriber.bodies("status") == ["online"], "online")
    # Until its acknowledgement is here, `online` takes one of the places on the way.
    outbox.put({"n": -1})
    publisher.wake()
    wait_until(lambda: publisher.acknowledged == 1, "all acknowledged so far")
    relay.drop_answers()
    seqs = []
    for n in range(30):  # more than may be on their way at once
        seqs.append(outbox.put({"n": n}))
        publisher.wake()
    subscriber.wait_for(
        lambda: len(subscriber.bodies("events")) == 1 + MAX_EVENTS_IN_FLIGHT, "a full window"
    )
    assert publisher.acknowledged == 1
    assert outbox.depth() == 30
    relay.cut_connections()
    wait_until(lambda: outbox.depth() == 0, "delivered after all")
    # The broker acknowledges before it has handed on.
    subscriber.wait_for(
        lambda: len(subscriber.bodies("events")) >= 1 + MAX_EVENTS_IN_FLIGHT + 30, "the rest"
    )
    received = [(e["seq"], e["replayed"]) for e in subscriber.bodies("events")[1:]]
    assert received == [(s, False) for s in seqs[:MAX_EVENTS_IN_FLIGHT]] + [(s, True) for s in seqs]
    publisher.stop(STOP_S)
    relay.close()


def test_the_last_state_before_a_stop_is_the_one_that_stays(
    mosquitto: Mosquitto, subscriber: Subscriber, start: Start
) -> None:
    publisher = start(mosquitto.broker)
    wait_until(lambda: publisher.connected, "connected")
    for people in range(50):
        publisher.retain("state", {"people": people}, qos=1)
    publisher.stop(STOP_S)
    subscriber.wait_for(lambda: "offline" in subscriber.bodies("status"), "the farewell")
    assert subscriber.bodies("state")[-1] == {"people": 49}


def test_an_event_that_the_broker_forbids_is_kept_and_said(
    tmp_path: Path, outbox: Outbox, start: Start
) -> None:
    acl = "topic write maskpatrol/door1/status\ntopic read maskpatrol/#\n"
    server = Mosquitto(tmp_path, acl=acl).start()
    outbox.put({"n": 0})
    publisher = start(server.broker)
    wait_until(lambda: "does not accept events" in str(publisher.failure), "the refusal")
    publisher.stop(STOP_S)
    assert publisher.connections <= 2  # one more try at the stop, and no storm before
    late = Subscriber(server.broker)
    late.wait_for(lambda: late.bodies("status") == ["offline"], "offline is what stays")
    late.close()
    assert outbox.depth() == 1
    assert publisher.acknowledged == 0
    server.stop()


def test_a_broker_that_knows_only_3_1_1_is_spoken_to_in_it(outbox: Outbox, start: Start) -> None:
    with EmbeddedBroker(free_port()) as server:
        listener = Subscriber(Broker(server.host, server.port))
        outbox.put({"n": 0})
        publisher = start(Broker(server.host, server.port, version="3.1.1"))
        listener.wait_for(lambda: len(listener.bodies("events")) == 1, "the event")
        publisher.stop(STOP_S)
        listener.wait_for(lambda: "offline" in listener.bodies("status"), "the farewell")
        listener.close()


def test_two_devices_of_one_name_are_told_of_it_and_do_not_storm_the_broker(
    mosquitto: Mosquitto, outbox: Outbox, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = start(mosquitto.broker), start(mosquitto.broker)

    def warnings() -> list[str]:
        return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]

    wait_until(lambda: any("also called 'door1'" in text for text in warnings()), "the hint")
    assert sum("lost" in text for text in warnings()) <= 2
    assert first.connections + second.connections <= 8


def test_stopping_does_not_wait_for_a_port_that_says_nothing(outbox: Outbox, start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outbox.put({"n": 0})
        publisher = start(Broker("127.0.0.1", silent.getsockname()[1]))
        silent.accept()
        publisher.stop(0.2)
        assert not publisher._thread.is_alive()
    assert outbox.depth() == 1


def test_the_will_says_offline_when_the_process_dies(
    mosquitto: Mosquitto, subscriber: Subscriber, start: Start
) -> None:
    relay = Relay(mosquitto.broker)
    start(relay.broker)
    subscriber.wait_for(lambda: subscriber.bodies("status") == ["online"], "online")
    relay.cut_connections()  # as a pulled plug: no DISCONNECT is sent
    subscriber.wait_for(lambda: "offline" in subscriber.bodies("status"), "the will")
    relay.close()


def test_a_refused_password_is_said_and_kept(tmp_path: Path, outbox: Outbox, start: Start) -> None:
    server = Mosquitto(tmp_path, password="right").start()
    outbox.put({"n": 0})
    publisher = start(Broker("127.0.0.1", server.port, "door", "wrong"))
    wait_until(lambda: publisher.failure is not None, "the refusal")
    assert isinstance(publisher.failure, LoginRefusedError)
    assert "refuses user 'door'" in str(publisher.failure)
    assert "wrong" not in str(publisher.failure)
    assert outbox.depth() == 1
    publisher.stop(0.0)
    again = start(Broker("127.0.0.1", server.port, "door", "right"))
    wait_until(lambda: outbox.depth() == 0, "delivered with the right one")
    again.stop(STOP_S)
    server.stop()


def test_stop_without_a_broker_ends_at_once_and_keeps_the_events(
    outbox: Outbox, start: Start
) -> None:
    publisher = start(Broker("127.0.0.1", free_port()))
    outbox.put({"n": 0})
    publisher.stop(0.3)
    assert not publisher._thread.is_alive()
    assert outbox.depth() == 1


def test_the_password_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush\n")
    settings = MqttSettings(host="h", username="u", password_file=str(tmp_path / "secret"))
    assert Broker.from_settings(settings).password == "hush"
    with pytest.raises(UserError, match=r"mqtt\.password_file"):
        Broker.from_settings(MqttSettings(host="h", password_file=str(tmp_path / "none")))


def test_a_name_that_is_not_known_is_said(outbox: Outbox, start: Start) -> None:
    publisher = start(Broker("no-such-host.invalid", 1883))
    wait_until(lambda: publisher.failure is not None, "the failure")
    assert "not known" in str(publisher.failure)


def test_a_broker_that_breaks_off_in_mqtt_5_is_spoken_to_in_3_1_1(
    mosquitto: Mosquitto, outbox: Outbox, start: Start
) -> None:
    """A relay in front of mosquitto plays the old broker: it cuts CONNECTs of MQTT 5."""
    old = Relay(mosquitto.broker, closes_on=b"\x00\x04MQTT\x05")
    outbox.put({"n": 0})
    publisher = start(old.broker)
    wait_until(lambda: outbox.depth() == 0, "delivered")
    publisher.stop(STOP_S)
    old.close()


def test_a_broker_that_hung_is_still_spoken_to_in_mqtt_5(
    mosquitto: Mosquitto, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers nothing for longer than it takes to give MQTT 5 up, after it spoke it."""
    monkeypatch.setattr("edge.mqtt.reconnect_backoff.FIRST_DELAY_S", 0.1)
    relay = Relay(mosquitto.broker)
    publisher = start(relay.broker)
    wait_until(lambda: publisher.version == "5", "connected")
    relay.close_on(b"MQTT", times=MAX_UNANSWERED)
    relay.cut_connections()
    wait_until(lambda: publisher.version is None, "the loss")
    wait_until(lambda: publisher.connections == 2, "connected again")
    wait_until(lambda: publisher.version == "5", "in the same version")
    relay.close()


def test_one_broken_connection_is_no_reason_to_give_mqtt_5_up(
    tmp_path: Path, outbox: Outbox, start: Start
) -> None:
    """In 3.1.1 the forbidden event would count as delivered."""
    server = Mosquitto(tmp_path, acl="topic write maskpatrol/door1/status\n").start()
    relay = Relay(server.broker, closes_on=b"MQTT", times=1)
    outbox.put({"n": 0})
    publisher = start(relay.broker)
    wait_until(lambda: "does not accept events" in str(publisher.failure), "the refusal")
    publisher.stop(0.0)
    assert outbox.depth() == 1
    relay.close()
    server.stop()
