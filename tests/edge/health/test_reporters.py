from __future__ import annotations

import threading
from typing import Any

import pytest

from edge.classification.classifier import load_classifier
from edge.common.clock import UtcClock
from edge.config.settings import Settings, change
from edge.health.reporters import HealthReporter, StateReporter, info_body


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
        {"no_mask": False, "people": 0, "since": second(0), "paused": False},
        {"no_mask": False, "people": 1, "since": second(0), "paused": False},
        {"no_mask": True, "people": 1, "since": second(3), "paused": False},
        {"no_mask": True, "people": 2, "since": second(3), "paused": False},
        {"no_mask": False, "people": 2, "since": second(5), "paused": False},
    ]
    assert {(leaf, qos) for leaf, _, qos in sink.said} == {("state", 1)}


def test_state_tells_the_counts_and_when_they_change() -> None:
    sink = Kept()
    reporter = StateReporter(sink, UtcClock(lambda: 0.0))
    for people in (0, 0, 1, 1):
        reporter.update(0, 1, 0.0, {"hour": {"mask": people}, "last_hour": None})
    assert [(body["people"], body["hour"]["mask"]) for _, body, _ in sink.said] == [(1, 0), (1, 1)]
    assert sink.said[1][1]["last_hour"] is None


def test_a_pause_is_said() -> None:
    sink = Kept()
    reporter = StateReporter(sink, UtcClock(lambda: 0.0))
    reporter.update(0, 0, 0.0)
    reporter.update(0, 0, 1.0, paused=True)
    assert [body["paused"] for _, body, _ in sink.said] == [False, True]


def test_health_is_said_at_intervals_after_the_chores() -> None:
    sink, done = Kept(), []
    with HealthReporter(sink, lambda: {"chores": len(done)}, 0.02, lambda: done.append(1)):
        assert sink.enough.wait(10.0)
    assert sink.said[:2] == [("health", {"chores": 1}, 0), ("health", {"chores": 2}, 0)]


def test_a_report_that_fails_is_not_the_last(caplog: pytest.LogCaptureFixture) -> None:
    sink = Kept()
    bodies = iter([{"n": 1}, None, {"n": 2}])

    def body() -> dict[str, Any]:
        if (found := next(bodies)) is None:
            raise ValueError("odd")
        return found

    with HealthReporter(sink, body, 0.02):
        assert sink.enough.wait(10.0)
    assert [body["n"] for _, body, _ in sink.said[:2]] == [1, 2]
    assert "no health report" in caplog.text


def test_a_report_that_hangs_does_not_hold_up_the_end() -> None:
    hangs, let_go = threading.Event(), threading.Event()

    def body() -> dict[str, Any]:
        hangs.set()
        let_go.wait()
        return {}

    with HealthReporter(Kept(), body, 0.02) as reporter:
        assert hangs.wait(10.0)
        reporter.leave()
    let_go.set()


def test_the_digest_of_the_configuration_tells_no_password() -> None:
    classifier = load_classifier(Settings().classifier)

    def digest(source: str, **mqtt: Any) -> str:
        settings = change(Settings(), device="d", camera={"source": source}, mqtt=mqtt)
        return str(info_body(settings, classifier, 0.5)["configuration"])

    assert digest("rtsp://me:one@cam/1") == digest("rtsp://you:two@cam/1")
    assert digest("http://cam/?password=one") == digest("http://cam/?password=two")
    assert digest("demo", username="one") == digest("demo", username="two")
    assert digest("rtsp://me:one@cam/1") != digest("rtsp://me:one@cam/2")
    assert digest("demo", base="one") != digest("demo", base="two")
