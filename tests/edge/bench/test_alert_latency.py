from __future__ import annotations

import pytest

from edge.bench.alert_latency import alert_figures
from edge.common.errors import UserError
from edge.config.settings import Settings, change

SETTINGS = Settings(device="door1")


@pytest.mark.slow
def test_alerts_of_two_people_are_timed() -> None:
    found = alert_figures(SETTINGS, visits=1)
    assert found.alerts == 4
    assert 0.0 < found.p50_ms <= found.p95_ms


def test_failed_daemon_ends_the_wait_for_alerts() -> None:
    settings = change(SETTINGS, classifier={"model": "/none.tflite"})
    with pytest.raises(UserError, match=r"alerts could not be timed: .*none\.tflite"):
        alert_figures(settings, visits=1)
