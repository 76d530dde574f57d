from __future__ import annotations

import threading
from typing import Any

from edge.health import StageTimes
from edge.payloads import UtcClock
from edge.reporter import HealthReporter, Progress, StateReporter


class Kept:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, Any], int]] = []
        self.enough = threading.Event()

    def put(self, payload: dict[str, Any]) -> int:
        raise AssertionError(f"reporters make no events: {payload}")

    def retain(self, leaf: str, body: dict[str, Any], qos: int) -> None:
        self.said.append((leaf, body, qos))
        if len(self.said) >= 2:
            self.enough.set()


def test_state_is_said_only_when_it_changes() -> None:
    sink = Kept()
    reporter = StateReporter(sink, UtcClock(lambda: 0.0))
    for alerting, people, at_s in [
        (0, 0, 0),
        (0, 0, 1),
        (0, 1, 2),
        (1, 1, 3),
        (2, 2, 4),
        (0, 2, 5),
    ]:
        reporter.update(alerting, people, float(at_s))
    second = "1970-01-01T00:00:0{}.000Z".format
    assert [body for _, body, _ in sink.said] == [
        {"no_mask": False, "people": 0, "since": second(0)},
        {"no_mask": False, "people": 1, "since": second(0)},
        {"no_mask": True, "people": 1, "since": second(3)},
        {"no_mask": True, "people": 2, "since": second(3)},
        {"no_mask": False, "people": 2, "since": second(5)},
    ]
    assert {(leaf, qos) for leaf, _, qos in sink.said} == {("state", 1)}


def test_state_tells_the_counts_and_when_they_change() -> None:
    sink = Kept()
    reporter = StateReporter(sink, UtcClock(lambda: 0.0))
    for people in (0, 0, 1, 1):
        reporter.update(0, 1, 0.0, {"hour": {"mask": people}, "last_hour": None})
    assert [(body["people"], body["hour"]["mask"]) for _, body, _ in sink.said] == [(1, 0), (1, 1)]
    assert sink.said[1][1]["last_hour"] is None


def test_health_has_the_figures() -> None:
    sink, times = Kept(), StageTimes()
    times.add("detect", 0.012)
    progress = Progress()
    for _ in range(10):
        progress.frame_done()
    with HealthReporter(sink, progress, times, lambda: {"outbox_depth": 3}, 0.05):
        assert sink.enough.wait(10.0)
    leaf, first, qos = sink.said[0]
    assert (leaf, qos) == ("health", 0)
    assert first["fps"] == 200.0  # ten frames in the interval of 0.05 s
    assert sink.said[1][1]["fps"] == 0.0
    assert first["stages_ms"] == {"detect": {"p50": 12.0, "p95": 12.0}}
    assert first["outbox_depth"] == 3
    assert first["frame_age_s"] >= 0.0
    assert first["memory_mb"] > 1.0
