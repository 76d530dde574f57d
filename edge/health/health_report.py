"""The body of `health`: figures about the daemon, the board, and the delivery of events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge.camera.frame_rate_limit import FrameRateBudget
from edge.camera.source import Feed
from edge.common.stage_times import Progress, StageTimes, memory_mb
from edge.health.disk_writes import DiskWrites
from edge.health.raspberry_pi import temperature_c, throttle_flags
from edge.mqtt.delivery import Delivery
from edge.outputs.state import OutputState


@dataclass(frozen=True)
class FrameSources:
    """Where the figures about frames come from.

    `searches` returns how many frames were searched in which way, and how many faces needed no
    classification; `budget` holds the share of the frame rate that is in use. `warning` returns a
    line on frames that are of no use, or an empty text.
    """

    feed: Feed
    progress: Progress
    times: StageTimes
    budget: FrameRateBudget
    searches: Callable[[], Mapping[str, int]]
    paused: Callable[[], bool]
    warning: Callable[[], str] = lambda: ""


@dataclass(frozen=True)
class BoardSources:
    """Where the figures about the board come from; `restarts` is fixed for one run.

    `temperature_c` returns None where the kernel reports none; `throttle_flags` returns the
    conditions that the firmware reports, such as under-voltage, and None where the board has no
    such report.
    """

    restarts: int
    disk_writes: DiskWrites
    temperature_c: Callable[[], float | None] = temperature_c
    throttle_flags: Callable[[], list[str] | None] = throttle_flags


class HealthReport:
    """Collects the figures whenever `body` is called, from any thread."""

    def __init__(
        self,
        frames: FrameSources,
        board: BoardSources,
        delivery: Delivery | None,
        outputs: Callable[[], Sequence[OutputState]] = tuple,
    ) -> None:
        """Without `delivery` (`--no-mqtt`) the body has no fields about the broker and the
        outbox. `outputs` returns the state of each output."""
        self._frames = frames
        self._board = board
        self._delivery = delivery
        self._outputs = outputs

    def camera_state(self) -> str:
        """Return the state of the camera, as the body contains it."""
        return self._frames.feed.status().state

    def body(self) -> dict[str, Any]:
        """Return what is published as `health`."""
        warnings: list[str] = []
        body = {
            **self._frame_figures(warnings),
            **self._board_figures(warnings),
            **self._delivery_figures(warnings),
            "outputs": self._output_states(warnings),
        }
        return {**body, "warnings": warnings}

    # Each of the following methods returns its part of the body and appends its warnings.

    def _frame_figures(self, warnings: list[str]) -> dict[str, Any]:
        frames = self._frames
        camera, share = frames.feed.status(), frames.budget.share()
        if camera.reason:
            warnings.append(camera.reason)
        if warning := frames.warning():
            warnings.append(warning)
        if share < 1.0:
            warnings.append(f"the board is hot: the frame rate is reduced to {share:.0%}")
        return {
            "uptime_s": round(frames.progress.elapsed_s(), 1),
            "frames": frames.progress.frames,
            "fps": round(frames.progress.fps(), 2),
            "camera": camera.state,
            "frame_age_s": None if camera.frame_age_s is None else round(camera.frame_age_s, 2),
            "fps_share": round(share, 2),
            "frames_left_out": frames.budget.left_out,
            "frames_dropped": camera.dropped,
            "camera_reopened": camera.reopened,
            "paused": frames.paused(),
            "stages_ms": {
                stage: {"p50": q.p50_ms, "p95": q.p95_ms}
                for stage, q in frames.times.quantiles().items()
            },
            "searches": dict(frames.searches()),
        }

    def _board_figures(self, warnings: list[str]) -> dict[str, Any]:
        flags = self._board.throttle_flags()
        if flags:
            warnings.append(f"the board's firmware reports: {', '.join(flags)}")
        return {
            "memory_mb": memory_mb(),
            "temperature_c": self._board.temperature_c(),
            "throttled": None if flags is None else bool(flags),
            "restarts": self._board.restarts,
            **self._board.disk_writes.body(),
        }

    def _delivery_figures(self, warnings: list[str]) -> dict[str, Any]:
        if self._delivery is None:
            return {}
        outbox, publisher = self._delivery.outbox, self._delivery.publisher
        depth = outbox.depth()  # this also notices that the file was removed or cannot be read
        if outbox.warning:
            warnings.append(outbox.warning)
        return {
            "connected": publisher.connected,
            "connections": publisher.connections,
            "mqtt_version": publisher.version,
            "events_acknowledged": publisher.acknowledged,
            "outbox_depth": depth,
            "outbox_on_disk": not outbox.warning,
            "events_dropped": outbox.dropped,
        }

    def _output_states(self, warnings: list[str]) -> list[dict[str, Any]]:
        states = self._outputs()
        warnings += [f"output {state.name}: {state.problem}" for state in states if state.problem]
        return [state.body() for state in states]
