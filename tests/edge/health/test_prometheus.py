from __future__ import annotations

import urllib.request
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge.common.errors import UserError
from edge.config.settings import MetricsSettings
from edge.health.prometheus import MetricsEndpoint
from tests.support.ports import accepts, free_port

BODY: dict[str, Any] = {
    "fps": 9.8,
    "temperature_c": None,
    "outbox_on_disk": True,
    "frames": 120,
    "events_dropped": 2,
    "camera": "stalled",
    "stages_ms": {"detect": {"p50": 12.0, "p95": 20.0}},
}


def test_prometheus_parses_the_metrics() -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}/metrics"
    with (
        MetricsEndpoint(MetricsSettings(port=port), lambda: BODY, "door1"),
        urllib.request.urlopen(address) as response,
    ):
        text = response.read().decode()
    assert not accepts(port)
    samples = {
        (s.name, s.labels.get("state") or s.labels.get("quantile")): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
        if s.labels["device"] == "door1"
    }
    assert samples["mask_patrol_frames_per_second", None] == 9.8
    assert samples["mask_patrol_outbox_on_disk", None] == 1.0
    assert samples["mask_patrol_events_dropped_total", None] == 2.0
    assert samples["mask_patrol_stage_seconds", "0.95"] == 0.02
    assert samples["mask_patrol_camera_state", "stalled"] == 1.0
    assert samples["mask_patrol_camera_state", "ok"] == 0.0
    assert ("mask_patrol_temperature_celsius", None) not in samples


def test_taken_port_is_a_user_error() -> None:
    settings = MetricsSettings(port=free_port())
    with MetricsEndpoint(settings, dict, "a"), pytest.raises(UserError, match="choose another"):
        MetricsEndpoint(settings, dict, "b").__enter__()


def test_invalid_host_is_a_user_error() -> None:
    with pytest.raises(UserError, match=r"choose another metrics\.host"):
        MetricsEndpoint(MetricsSettings(host="a..b", port=free_port()), dict, "a").__enter__()
