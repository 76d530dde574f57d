"""The body of `health`: how the daemon is, in figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edge.camera.frame_rate_limit import FrameRateBudget
from edge.camera.source import Feed
from edge.common.stage_times import Progress, StageTimes, memory_mb
from edge.health.disk_writes import DiskWrites
from edge.health.raspberry_pi import temperature_c, throttled
from edge.mqtt.delivery import Delivery


class HealthReport:
    """Gathers the figures when it is asked; from any thread."""

    def __init__(
        self,
        progress: Progress,
        times: StageTimes,
        feed: Feed,
        paused: Callable[[], bool],
        delivery: Delivery | None,
        restarts: int,
        work: Callable[[], Mapping[str, int]],
        allowance: FrameRateBudget,
        wear: DiskWrites,
    ) -> None:
        """Without `delivery` nothing is published, and nothing said of it; `work` counts what
        the pipeline did and what it spared itself, `allowance` says what of the frame rate is
        spent, `wear` what goes to the card."""
        self._progress = progress
        self._times = times
        self._feed = feed
        self._paused = paused
        self._delivery = delivery
        self._restarts = restarts
        self._work = work
        self._allowance = allowance
        self._wear = wear

    def body(self) -> dict[str, Any]:
        """What is published as `health`."""
        camera = self._feed.status()
        held_back = throttled()
        body: dict[str, Any] = {
            "uptime_s": round(self._progress.elapsed_s(), 1),
            "frames": self._progress.frames,
            "fps": round(self._progress.fps(), 2),
            "camera": camera.state,
            "frame_age_s": None if camera.frame_age_s is None else round(camera.frame_age_s, 2),
            "fps_share": round(self._allowance.share(), 2),
            "frames_left_out": self._allowance.left_out,
            "frames_dropped": camera.dropped,
            "camera_reopened": camera.reopened,
            "paused": self._paused(),
            "stages_ms": {
                stage: {"p50": q.p50_ms, "p95": q.p95_ms}
                for stage, q in self._times.quantiles().items()
            },
            "searches": dict(self._work()),
            "memory_mb": memory_mb(),
            "temperature_c": temperature_c(),
            "throttled": None if held_back is None else bool(held_back),
            "restarts": self._restarts,
            **self._wear.body(),
        }
        warnings = [camera.reason] if camera.reason else []
        if (share := self._allowance.share()) < 1.0:
            warnings.append(f"the board is hot: {share:.0%} of the frame rate is left")
        if held_back:
            warnings.append(f"the board is held back: {', '.join(held_back)}")
        if self._delivery is not None:
            outbox, publisher = self._delivery.outbox, self._delivery.publisher
            body |= {
                "connected": publisher.connected,
                "connections": publisher.connections,
                "mqtt_version": publisher.version,
                "events_acknowledged": publisher.acknowledged,
                "outbox_depth": outbox.depth(),
                "outbox_on_disk": not outbox.warning,
                "events_dropped": outbox.dropped,
            }
            if outbox.warning:
                warnings.append(outbox.warning)
        return {**body, "warnings": warnings}
