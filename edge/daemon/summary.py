"""What a run says of itself at a terminal: one line when it begins, a few when it ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge.camera.source_address import display_address
from edge.common.stage_times import Progress, StageTimes
from edge.common.terminal import stage_table
from edge.config.settings import Settings
from edge.mqtt.delivery import Delivery


def opening_line(settings: Settings, delivery: Delivery | None) -> str:
    """What is watched, and where events go."""
    where = "no MQTT"
    if delivery is not None:
        kind = "embedded broker" if delivery.embedded else "broker"
        topic = f"{settings.mqtt.base}/{settings.device}/events"
        where = f"{kind} {delivery.broker.address}, topic {topic}"
    return f"Watching {display_address(settings.camera)}; {where}."


def closing_lines(
    progress: Progress,
    times: StageTimes,
    figures: Mapping[str, Any],
    written: int,
    received: int | None,
) -> list[str]:
    """What came of it: `figures` as in `health`, `written` events, of which a subscriber
    `received` so many; None without one."""
    elapsed_s, frames = progress.elapsed_s(), progress.frames
    delivered = f"{figures.get('events_acknowledged', 0)} acknowledged by the broker"
    if received is not None:
        delivered += f", {received} received back"
    return [
        "",
        *stage_table(times.quantiles()),
        "",
        f"{frames} frames in {elapsed_s:.1f} s ({frames / max(elapsed_s, 1e-9):.1f} a second), "
        f"{figures['frames_dropped']} dropped",
        f"{written} events: {delivered}, {figures.get('outbox_depth', 0)} waiting",
    ]
