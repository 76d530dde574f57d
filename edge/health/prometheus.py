"""Serves the figures of `health` to Prometheus, over HTTP.

Needs prometheus-client (the extra `metrics`), which is imported only when the endpoint starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, get_args

from edge.camera.source import CameraState
from edge.common.errors import UserError
from edge.config.settings import MetricsSettings

Body = dict[str, Any]
#: For each key of `health` the metric's name and help text. The names follow Prometheus's rules:
#: base units, and counters get the suffix `_total` from the library.
GAUGES = {
    "fps": ("frames_per_second", "Frames processed per second"),
    "fps_share": (
        "frame_rate_share",
        "Share of camera.fps in use; below 1 while the board is hot",
    ),
    "frame_age_s": ("frame_age_seconds", "Time since the newest good frame was captured"),
    "uptime_s": ("uptime_seconds", "Time since the daemon was started"),
    "memory_mb": ("resident_memory_mebibytes", "Resident memory of the daemon"),
    "temperature_c": ("temperature_celsius", "Temperature of the processor"),
    "outbox_depth": ("outbox_events", "Events that wait for delivery"),
    "outbox_on_disk": ("outbox_on_disk", "0 while events are kept in memory only"),
    "paused": ("paused", "1 while paused"),
    "connected": ("broker_connected", "1 while connected to the broker"),
    "written_bytes_per_day": (
        "written_bytes_per_day",
        "Bytes written to disks by this process per day",
    ),
    "card_bytes_per_day": (
        "card_written_bytes_per_day",
        "Bytes written to the SD card by all processes per day",
    ),
}
COUNTERS = {
    "frames": ("frames", "Frames processed"),
    "frames_left_out": ("frames_left_out", "Frames left out to keep the configured frame rate"),
    "frames_dropped": (
        "frames_dropped",
        "Frames replaced by a newer one before they were processed",
    ),
    "events_dropped": (
        "events_dropped",
        "Events lost because the outbox was full, they were too old, or the file was damaged",
    ),
    "events_acknowledged": ("events_acknowledged", "Events acknowledged by the broker"),
    "connections": ("broker_connections", "Connections made to the broker"),
    "camera_reopened": ("camera_reopened", "Times that the camera was reopened"),
    "restarts": ("restarts", "Starts that did not follow a clean stop"),
    "written_bytes": ("written_bytes", "Bytes written to disks by this process"),
}
PREFIX = "mask_patrol_"


class MetricsEndpoint:
    """Serves `http://host:port/metrics` inside its context."""

    def __init__(self, settings: MetricsSettings, body: Callable[[], Body], device: str) -> None:
        """`body` returns the present body of `health` and is called at each scrape."""
        self._settings = settings
        self._collector = _Collector(body, device)
        self._server: Any = None
        self._thread: Any = None

    def __enter__(self) -> MetricsEndpoint:
        try:
            from prometheus_client import CollectorRegistry, start_http_server
        except ImportError:
            raise UserError(
                "metrics.port needs prometheus-client: pip install '.[metrics]' in a clone of the"
                " repository"
            ) from None
        registry = CollectorRegistry()
        registry.register(self._collector)
        host, port = self._settings.host, self._settings.port or 0
        try:
            self._server, self._thread = start_http_server(port, host, registry)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "this is not a host name"
            raise UserError(
                f"cannot serve metrics at {host}:{port}: {reason};"
                " choose another metrics.host or port"
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Collector:
    """Converts the body of `health` to metrics."""

    def __init__(self, body: Callable[[], Body], device: str) -> None:
        self._body = body
        self._device = device

    def describe(self) -> list[Any]:
        """Return an empty list, because the board determines which metrics exist."""
        return []

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        body = self._body()
        labels = ["device"]
        for kinds, family in ((GAUGES, GaugeMetricFamily), (COUNTERS, CounterMetricFamily)):
            for key, (name, text) in kinds.items():
                if body.get(key) is not None:
                    metric = family(PREFIX + name, text, labels=labels)
                    metric.add_metric([self._device], float(body[key]))
                    yield metric
        camera = GaugeMetricFamily(
            PREFIX + "camera_state", "1 for the camera's present state", labels=[*labels, "state"]
        )
        for state in get_args(CameraState):
            camera.add_metric([self._device, state], float(body.get("camera") == state))
        yield camera
        stages = GaugeMetricFamily(
            PREFIX + "stage_seconds",
            "Quantiles of a stage's duration over its newest runs",
            labels=[*labels, "stage", "quantile"],
        )
        for stage, quantiles in body.get("stages_ms", {}).items():
            for quantile, milliseconds in (("0.5", quantiles["p50"]), ("0.95", quantiles["p95"])):
                stages.add_metric([self._device, stage, quantile], milliseconds / 1000.0)
        yield stages
