"""The summary of a run at a terminal: one line when it begins, a few lines when it ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge.camera.source_address import display_address
from edge.common.terminal import stage_table
from edge.config.settings import Settings
from edge.daemon.measurements import Measurements
from edge.mqtt.delivery import Delivery


def opening_line(settings: Settings, delivery: Delivery | None) -> str:
    """Return a line that names the source and the topic that events are published to."""
    destination = "no MQTT"
    if delivery is not None:
        kind = "embedded broker" if delivery.embedded else "broker"
        topic = f"{settings.mqtt.base}/{settings.device}/events"
        destination = f"{kind} {delivery.broker.address}, topic {topic}"
    return f"Watching {display_address(settings.camera)}; {destination}."


def closing_lines(
    measurements: Measurements, health: Mapping[str, Any], written: int, received: int | None
) -> list[str]:
    """Return the stage times and the counts of the run.

    `health` is the last body of `health`; `written` counts the events of this run, and
    `received` those that a subscriber received back (None without a subscriber).
    """
    elapsed_s, frames = measurements.progress.elapsed_s(), measurements.progress.frames
    delivered = f"{health.get('events_acknowledged', 0)} acknowledged by the broker"
    if received is not None:
        delivered += f", {received} received back"
    return [
        "",
        *stage_table(measurements.times.quantiles()),
        "",
        f"{frames} frames in {elapsed_s:.1f} s ({frames / max(elapsed_s, 1e-9):.1f} a second), "
        f"{health['frames_dropped']} dropped",
        f"{written} events: {delivered}, {health.get('outbox_depth', 0)} waiting",
    ]
