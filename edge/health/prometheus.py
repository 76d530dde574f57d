"""The figures of `health` for Prometheus, over HTTP.

Needs the extra `metrics` (prometheus-client); imported only when a port is configured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, get_args

from edge.camera.source import CameraState
from edge.common.errors import UserError
from edge.config.settings import MetricsSettings

Body = dict[str, Any]
#: Names as Prometheus wants them (base units, `_total` for what only grows) for what stands
#: in `health` under the key.
GAUGES = {
    "fps": ("frames_per_second", "Frames processed a second"),
    "fps_share": ("frame_rate_share", "Of the allowed frame rate, what heat leaves"),
    "frame_age_s": ("frame_age_seconds", "Since the newest frame was captured"),
    "uptime_s": ("uptime_seconds", "Since the daemon was started"),
    "memory_mb": ("resident_memory_mebibytes", "Resident memory"),
    "temperature_c": ("temperature_celsius", "Of the processor"),
    "outbox_depth": ("outbox_events", "Events that wait for the broker"),
    "outbox_on_disk": ("outbox_on_disk", "0 while events are in memory only"),
    "paused": ("paused", "1 while nobody is watched"),
    "connected": ("broker_connected", "1 while the broker is there"),
    "written_bytes_per_day": ("written_bytes_per_day", "Written to disks by this process"),
    "card_bytes_per_day": ("card_written_bytes_per_day", "Written to the card by everything"),
}
COUNTERS = {
    "frames": ("frames", "Frames processed"),
    "frames_left_out": ("frames_left_out", "Frames beyond the allowed rate"),
    "frames_dropped": ("frames_dropped", "Frames that a newer one replaced"),
    "events_dropped": ("events_dropped", "Events lost for want of room, for age, to damage"),
    "events_acknowledged": ("events_acknowledged", "Events that the broker took"),
    "connections": ("broker_connections", "Connections made to the broker"),
    "camera_reopened": ("camera_reopened", "Times that the camera was opened anew"),
    "restarts": ("restarts", "Starts after no clean stop"),
    "written_bytes": ("written_bytes", "Written to disks by this process"),
}
PREFIX = "mask_patrol_"


class MetricsEndpoint:
    """`http://host:port/metrics` for as long as `with` lasts."""

    def __init__(self, settings: MetricsSettings, body: Callable[[], Body], device: str) -> None:
        """`body` gives the figures of `health` now; it is asked at every scrape."""
        self._settings = settings
        self._collector = _Collector(body, device)
        self._server: Any = None
        self._thread: Any = None

    def __enter__(self) -> MetricsEndpoint:
        try:
            from prometheus_client import CollectorRegistry, start_http_server
        except ImportError:
            raise UserError(
                "metrics.port needs prometheus-client: pip install 'mask-patrol[metrics]'"
            ) from None
        registry = CollectorRegistry()
        registry.register(self._collector)
        host, port = self._settings.host, self._settings.port or 0
        try:
            self._server, self._thread = start_http_server(port, host, registry)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "that is no name of a host"
            raise UserError(
                f"no metrics at {host}:{port}: {reason}; choose another metrics.host or port"
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Collector:
    """What Prometheus asks for the figures."""

    def __init__(self, body: Callable[[], Body], device: str) -> None:
        self._body = body
        self._device = device

    def describe(self) -> list[Any]:
        """Nothing in advance: which figures there are depends on the board."""
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
            PREFIX + "camera_state", "1 for the state that it is in", labels=[*labels, "state"]
        )
        for state in get_args(CameraState):
            camera.add_metric([self._device, state], float(body.get("camera") == state))
        yield camera
        stages = GaugeMetricFamily(
            PREFIX + "stage_seconds",
            "How long a stage takes, of the newest passes",
            labels=[*labels, "stage", "quantile"],
        )
        for stage, quantiles in body.get("stages_ms", {}).items():
            for quantile, milliseconds in (("0.5", quantiles["p50"]), ("0.95", quantiles["p95"])):
                stages.add_metric([self._device, stage, quantile], milliseconds / 1000.0)
        yield stages
