"""Checks the announcement against Home Assistant's documentation of MQTT discovery (2024.11)."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.mqtt.home_assistant import Titles, discovery_announcement, object_id
from edge.mqtt.payloads import Topics
from edge.mqtt.publisher import Publisher
from edge.outbox.outbox import Outbox
from tests.support.mqtt.brokers import Mosquitto, Subscriber

#: The keys that are allowed for every entity.
COMMON = {"platform", "unique_id", "qos", "name", "icon", "entity_category", "device_class"}
#: The required keys of each platform, and the optional keys that the daemon uses.
REQUIRED = {
    "event": {"state_topic", "event_types"},
    "binary_sensor": {"state_topic"},
    "sensor": {"state_topic"},
    "button": {"command_topic"},
}
ALLOWED = {
    "event": {"value_template"},
    "binary_sensor": {"value_template", "payload_on", "payload_off"},
    "sensor": {"value_template", "unit_of_measurement", "state_class"},
    "button": {"payload_press", "command_template"},
}
DEVICE_CLASSES = {
    "binary_sensor": {"problem", "safety", "connectivity", "occupancy", "running"},
    "sensor": {"temperature", "data_size", "duration"},
}
UNITS = {"temperature": {"°C", "°F", "K"}, "data_size": {"B", "kB", "MB", "MiB", "GiB"}}
#: Home Assistant's pattern of discovery topics.
TOPIC = re.compile(r"homeassistant/device/[a-zA-Z0-9_-]+/config")

VERBS = ("ping", "pause", "resume")
TOPICS = Topics("maskpatrol", "front.door_1")
TITLES = Titles("", "entrance")


def components(verbs: tuple[str, ...] = VERBS) -> dict[str, dict[str, Any]]:
    body = discovery_announcement("homeassistant", TOPICS, TITLES, verbs).body
    found: dict[str, dict[str, Any]] = body["components"]
    return found


def test_announcement_has_the_required_keys() -> None:
    announcement = discovery_announcement("homeassistant", TOPICS, TITLES, VERBS)
    body = announcement.body
    assert TOPIC.fullmatch(announcement.topic)
    assert body.keys() == {"device", "origin", "components", "availability_topic"}
    assert body["device"]["identifiers"]
    assert body["device"]["name"] == "front.door_1"
    assert body["origin"]["name"] == "Mask Patrol"
    assert body["availability_topic"] == "maskpatrol/front.door_1/status"
    assert json.loads(json.dumps(body)) == body


@pytest.mark.parametrize("key", components())
def test_component_follows_home_assistants_schema(key: str) -> None:
    component = components()[key]
    platform = component["platform"]
    assert component["qos"] == 1
    assert component.keys() >= REQUIRED[platform] | {"platform", "unique_id", "name"}
    assert component.keys() <= COMMON | REQUIRED[platform] | ALLOWED[platform]
    assert component.get("entity_category", "diagnostic") in {"diagnostic", "config"}
    if "device_class" in component:
        assert component["device_class"] in DEVICE_CLASSES[platform]
        if "unit_of_measurement" in component:
            assert component["unit_of_measurement"] in UNITS[component["device_class"]]
    for name in ("state_topic", "command_topic"):
        assert component.get(name, TOPICS["x"]).startswith("maskpatrol/front.door_1/")
    if "value_template" in component:
        assert re.fullmatch(r"\{\{ .*value_json\.[a-z_]+.* \}\}", component["value_template"])
    if platform == "event":
        assert component["event_types"] == ["no_mask_start", "no_mask_end"]
    if platform == "button":
        assert json.loads(component["payload_press"]) == {"transaction": "home-assistant"}


def test_unique_ids_differ_between_devices() -> None:
    ids = [c["unique_id"] for c in components().values()]
    other = discovery_announcement("homeassistant", Topics("maskpatrol", "door2"), TITLES, VERBS)
    ids += [c["unique_id"] for c in other.body["components"].values()]
    assert len(set(ids)) == len(ids)
    assert components()["no_mask"]["unique_id"] == "mask-patrol-front_2edoor__1_no_mask"


def test_titles_change_only_what_is_shown() -> None:
    plain = discovery_announcement("homeassistant", TOPICS, TITLES, VERBS)
    titled = discovery_announcement("homeassistant", TOPICS, Titles("Tür 1", "Eingang"), VERBS)
    assert titled.topic == plain.topic
    assert titled.body.pop("device") == {
        **plain.body.pop("device"),
        "name": "Tür 1",
        "model": "camera Eingang",
    }
    assert titled.body == plain.body


def test_only_supported_commands_have_buttons() -> None:
    assert "button" not in {c["platform"] for c in components(("ping",)).values()}
    assert components()["pause"]["command_topic"] == "maskpatrol/front.door_1/cmd/pause"


def test_different_names_have_different_object_ids() -> None:
    names = ["door1", "door.1", "door_1", "door-1", "door_2e1", "door__1", "door._1"]
    assert len({object_id(name) for name in names}) == len(names)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]+", object_id(name)) for name in names)


@pytest.mark.slow
@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_announced_at_connect_and_at_home_assistants_start(
    mosquitto: Mosquitto, tmp_path: Path, version: str
) -> None:
    listener = Subscriber(mosquitto.broker, "#")
    announcement = discovery_announcement("homeassistant", Topics("maskpatrol", "door1"), TITLES)
    outbox = Outbox(tmp_path / "outbox.sqlite3", 100)
    publisher = Publisher(
        replace(mosquitto.broker, version=version),
        Topics("maskpatrol", "door1"),
        outbox,
        announcement=announcement,
    )
    publisher.start()
    listener.wait_for(lambda: len(listener.bodies("config")) == 1, "the announcement")
    listener.client.publish("homeassistant/status", "offline", qos=1)
    listener.client.publish("homeassistant/status", "online", qos=1)
    listener.wait_for(lambda: len(listener.bodies("config")) == 2, "the second announcement")
    publisher.stop(5.0)
    listener.wait_for_status("offline")
    assert listener.bodies("config") == [announcement.body] * 2
    late = Subscriber(mosquitto.broker, announcement.topic)
    late.wait_for(lambda: late.bodies("config") == [announcement.body], "the retained announcement")
    for subscriber in (late, listener):
        subscriber.close()
    outbox.close()


def test_nothing_is_announced_without_discovery(mosquitto: Mosquitto, tmp_path: Path) -> None:
    listener = Subscriber(mosquitto.broker, "#")
    outbox = Outbox(tmp_path / "outbox.sqlite3", 100)
    publisher = Publisher(mosquitto.broker, Topics("maskpatrol", "door1"), outbox)
    publisher.start()
    listener.wait_for_status("online")
    listener.client.publish("homeassistant/status", "online", qos=1)
    publisher.stop(5.0)
    listener.wait_for(lambda: "offline" in listener.bodies("door1/status"), "offline")
    assert not listener.bodies("config")
    listener.close()
    outbox.close()
