"""The discovery message with which the device appears in Home Assistant automatically.

One retained message describes the whole device ("device discovery", Home Assistant 2024.11 and
later). The message uses the full key names, because the abbreviations save little.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, get_args

from edge import __version__
from edge.events.alert_machine import EventType
from edge.mqtt.payloads import Topics

#: Home Assistant publishes `online` on this topic when it starts, whatever the discovery prefix is.
BIRTH_TOPIC, BIRTH_PAYLOAD = "homeassistant/status", b"online"
MANUFACTURER = "Mask Patrol"
#: This setting is repeated for each component, because Home Assistant supports no setting for all
#: of them.
QOS = 1


@dataclass(frozen=True)
class Announcement:
    """A retained JSON message, published at every connect and when Home Assistant starts."""

    topic: str
    body: dict[str, Any]


@dataclass(frozen=True)
class Titles:
    """What people call the device and its camera; `device` may be empty."""

    device: str
    camera: str


def discovery_announcement(
    prefix: str, topics: Topics, titles: Titles, verbs: Collection[str] = ()
) -> Announcement:
    """Return the discovery message of one device, with a topic below the discovery `prefix`.

    The titles change what Home Assistant shows, but not by what it recognises the device.
    `verbs` are the commands that the device supports: `pause` and `resume` become buttons.
    """
    # The name has a prefix of ours because other programs use these topics too, and another
    # program's device may also be called `door1`.
    name = f"mask-patrol-{object_id(topics.device)}"
    components = _alert(topics) | _people(topics) | _health(topics)
    if {"pause", "resume"} <= set(verbs):
        components |= _pause(topics)
    for key, component in components.items():
        component |= {"unique_id": f"{name}_{key}", "qos": QOS}
    return Announcement(
        f"{prefix}/device/{name}/config",
        {
            "device": {
                "identifiers": [name],
                "name": titles.device or topics.device,
                "manufacturer": MANUFACTURER,
                "model": f"camera {titles.camera}",
                "sw_version": __version__,
            },
            "origin": {"name": MANUFACTURER, "sw_version": __version__},
            "availability_topic": topics["status"],
            "components": components,
        },
    )


def object_id(text: str) -> str:
    """Encode `text` with the characters that Home Assistant allows in an object ID.

    The allowed characters are letters, digits, `_` and `-`. A dot, which a device's name may
    contain, becomes `_2e`, and `_` itself `__`, so that different names stay different.
    """
    return re.sub(r"[^A-Za-z0-9-]", _escape, text)


def _escape(found: re.Match[str]) -> str:
    return "__" if found[0] == "_" else f"_{ord(found[0]):x}"


# The message's `availability_topic` applies to all components.


def _alert(topics: Topics) -> dict[str, dict[str, Any]]:
    return {
        "alert": {
            "platform": "event",
            "name": "Alert",
            "icon": "mdi:face-mask-outline",
            "state_topic": topics["events"],
            "event_types": list(get_args(EventType)),
        },
        "no_mask": {
            "platform": "binary_sensor",
            "name": "Bare face",
            "icon": "mdi:face-man",
            "device_class": "problem",
            "state_topic": topics["state"],
            "value_template": _on_off_template("value_json.no_mask"),
        },
    }


def _people(topics: Topics) -> dict[str, dict[str, Any]]:
    return {
        "people": {
            "platform": "sensor",
            "name": "People in view",
            "icon": "mdi:account-group",
            "state_topic": topics["state"],
            "value_template": "{{ value_json.people }}",
            "unit_of_measurement": "people",
            "state_class": "measurement",
        }
    }


def _health(topics: Topics) -> dict[str, dict[str, Any]]:
    def figure(name: str, key: str, unit: str, **more: str) -> dict[str, Any]:
        return {
            "platform": "sensor",
            "name": name,
            "entity_category": "diagnostic",
            "state_topic": topics["health"],
            # A value that the device cannot measure is null; the template renders it as `None`,
            # which Home Assistant treats as unknown.
            "value_template": f"{{{{ value_json.{key} }}}}",
            "unit_of_measurement": unit,
            "state_class": "measurement",
            **more,
        }

    return {
        "fps": figure("Frame rate", "fps", "frames/s", icon="mdi:speedometer"),
        "temperature": figure("Temperature", "temperature_c", "°C", device_class="temperature"),
        "memory": figure("Memory", "memory_mb", "MiB", device_class="data_size"),
        "outbox": figure("Events waiting", "outbox_depth", "events", icon="mdi:tray-full"),
        "camera": {
            "platform": "binary_sensor",
            "name": "Camera",
            "entity_category": "diagnostic",
            "device_class": "problem",
            "state_topic": topics["health"],
            "value_template": _on_off_template("value_json.camera | default('ok') != 'ok'"),
        },
    }


def _pause(topics: Topics) -> dict[str, dict[str, Any]]:
    """Return two buttons and a sensor.

    A switch would need one topic for on and off, but each command has a topic of its own.
    """

    def button(name: str, verb: str, icon: str) -> dict[str, Any]:
        return {
            "platform": "button",
            "name": name,
            "icon": icon,
            "command_topic": topics[f"cmd/{verb}"],
            "payload_press": '{"transaction":"home-assistant"}',
        }

    return {
        "pause": button("Pause", "pause", "mdi:pause"),
        "resume": button("Resume", "resume", "mdi:play"),
        "paused": {
            "platform": "binary_sensor",
            "name": "Paused",
            "icon": "mdi:pause-circle",
            "state_topic": topics["state"],
            "value_template": _on_off_template("value_json.paused | default(false)"),
        },
    }


def _on_off_template(condition: str) -> str:
    return "{{ 'ON' if " + condition + " else 'OFF' }}"
