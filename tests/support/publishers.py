"""A publisher over an outbox, as several tests of MQTT begin it."""

from __future__ import annotations

from collections.abc import Callable

from edge.mqtt.publisher import Publisher

Start = Callable[..., Publisher]
