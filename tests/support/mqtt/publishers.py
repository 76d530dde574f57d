"""The type of the fixture `start_publisher`."""

from __future__ import annotations

from collections.abc import Callable

from edge.mqtt.publisher import Publisher

StartPublisher = Callable[..., Publisher]
