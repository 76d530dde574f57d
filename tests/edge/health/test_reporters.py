from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from edge.classification.classifier import Classifier, load_classifier
from edge.common.clock import UtcClock
from edge.config.settings import Settings, change
from edge.health import reporters
from edge.health.reporters import HealthReporter, InfoReporter, StateReporter, info_body
from tests.support.models.unsure_models import write_model
from tests.support.waiting import wait_until


class RecordingSink:
    """A sink that records retained messages; `two` is set after the second message."""

    def __init__(self) -> None:
        self.retained: list[tuple[str, dict[str, Any], int]] = []
        self.two = threading.Event()

    def put(self, payload: dict[str, Any], lag_s: float | None = None) -> int:
        raise AssertionError(f"reporters write no events: {payload}")

    def retain(self, leaf: str, body: dict[str, Any], qos: int) -> None:
        self.retained.append((leaf, body, qos))
        if len(self.retained) >= 2:
            self.two.set()


def test_state_is_published_only_on_change() -> None:
    sink = RecordingSink()
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
    assert [body for _, body, _ in sink.retained] == [
        {"no_mask": False, "people": 0, "since": second(0), "paused": False},
        {"no_mask": False, "people": 1, "since": second(0), "paused": False},
        {"no_mask": True, "people": 1, "since": second(3), "paused": False},
        {"no_mask": True, "people": 2, "since": second(3), "paused": False},
        {"no_mask": False, "people": 2, "since": second(5), "paused": False},
    ]
    assert {(leaf, qos) for leaf, _, qos in sink.retained} == {("state", 1)}


def test_state_contains_the_people_counts() -> None:
    sink = RecordingSink()
    reporter = StateReporter(sink, UtcClock(lambda: 0.0))
    for people in (0, 0, 1, 1):
        reporter.update(0, 1, 0.0, {"hour": {"mask": people}, "last_hour": None})
    assert [(body["people"], body["hour"]["mask"]) for _, body, _ in sink.retained] == [
        (1, 0),
        (1, 1),
    ]
    assert sink.retained[1][1]["last_hour"] is None


def test_pause_changes_the_state() -> None:
    sink = RecordingSink()
    reporter = StateReporter(sink, UtcClock(lambda: 0.0))
    reporter.update(0, 0, 0.0)
    reporter.update(0, 0, 1.0, paused=True)
    assert [body["paused"] for _, body, _ in sink.retained] == [False, True]


def test_health_follows_the_maintenance() -> None:
    sink, done = RecordingSink(), []
    with HealthReporter(sink, lambda: {"maintained": len(done)}, 0.02, lambda: done.append(1)):
        assert sink.two.wait(10.0)
    assert sink.retained[:2] == [("health", {"maintained": 1}, 0), ("health", {"maintained": 2}, 0)]


def test_health_is_published_when_the_condition_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporters, "CHECK_EVERY_S", 0.01)
    sink, state, checks = RecordingSink(), ["ok"], []

    def condition() -> str:
        checks.append(state[0])
        return state[0]

    with HealthReporter(sink, lambda: {"camera": state[0]}, 3600.0, condition=condition):
        wait_until(lambda: len(checks) >= 3, "some checks")
        assert len(sink.retained) == 1  # the first report does not wait for a change
        for number, state[0] in enumerate(("stalled", "ok"), start=2):
            wait_until(lambda number=number: len(sink.retained) == number, "a report")
    assert [body["camera"] for _, body, _ in sink.retained] == ["ok", "stalled", "ok"]


def test_reports_continue_if_the_condition_cannot_be_read() -> None:
    def condition() -> object:
        raise OSError("odd")

    sink = RecordingSink()
    with HealthReporter(sink, dict, 0.02, condition=condition):
        assert sink.two.wait(10.0)


def test_failed_report_is_not_the_last(caplog: pytest.LogCaptureFixture) -> None:
    sink = RecordingSink()
    bodies = iter([{"n": 1}, None, {"n": 2}])

    def body() -> dict[str, Any]:
        if (found := next(bodies)) is None:
            raise ValueError("odd")
        return found

    with HealthReporter(sink, body, 0.02):
        assert sink.two.wait(10.0)
    assert [body["n"] for _, body, _ in sink.retained[:2]] == [1, 2]
    assert "the health report failed" in caplog.text


def test_hanging_report_does_not_block_the_stop() -> None:
    hangs, released = threading.Event(), threading.Event()

    def body() -> dict[str, Any]:
        hangs.set()
        released.wait()
        return {}

    with HealthReporter(RecordingSink(), body, 0.02) as reporter:
        assert hangs.wait(10.0)
        reporter.stop()
    assert not released.is_set()  # the context was left while the report still hung
    released.set()


def test_configuration_digest_ignores_credentials() -> None:
    classifier = load_classifier(Settings())

    def digest(source: str, **mqtt: Any) -> str:
        settings = change(Settings(), device="d", camera={"source": source}, mqtt=mqtt)
        return str(info_body(settings, classifier, "haar")["configuration"])

    assert digest("rtsp://me:one@cam/1") == digest("rtsp://you:two@cam/1")
    assert digest("http://cam/?password=one") == digest("http://cam/?password=two")
    assert digest("demo", username="one") == digest("demo", username="two")
    assert digest("rtsp://me:one@cam/1") != digest("rtsp://me:one@cam/2")
    assert digest("demo", base="one") != digest("demo", base="two")


def test_info_keeps_the_published_body() -> None:
    sink = RecordingSink()
    info = InfoReporter(sink)
    assert info.body == {}
    settings = change(Settings(), device="d", events={"alert_threshold": 0.7})
    info.update(settings, load_classifier(settings), "haar")
    assert sink.retained == [("info", info.body, 1)]
    assert info.body["alert_threshold"] == 0.7


@pytest.mark.parametrize("scores", [{"mask": 0.96, "no_mask": 0.9}, None])
def test_info_states_the_scores_under_which_a_face_is_unsure(
    tmp_path: Path, scores: dict[str, float] | None
) -> None:
    classifier = Classifier(write_model(tmp_path / "m.tflite", scores), two_labels=True)
    body = info_body(Settings(), classifier, "haar")
    assert body["unsure"] == (scores or {})
    assert body["model"]["labels"] == ("mask", "no_mask")
