"""Publishes the retained reports of the device: `state`, `health`, and `info`."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import platform
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from edge import __version__
from edge.camera.source_address import display_address
from edge.classification.classifier import Classifier, alert_threshold
from edge.classification.unsure import unsure_rule
from edge.common.clock import UtcClock
from edge.config.settings import DashboardSettings, Settings
from edge.mqtt.delivery import EventSink

log = logging.getLogger(__name__)

#: Longest wait for the health thread to end. It may hang on a disk that does not respond.
STOP_TIMEOUT_S = 0.5
#: How often the condition is read whose change is published at once.
CHECK_EVERY_S = 1.0
NO_COUNTS: Mapping[str, Any] = {}


class StateReporter:
    """Publishes `state` when it differs from the state that was published last."""

    def __init__(self, sink: EventSink, utc: UtcClock) -> None:
        """Publish nothing before the first `update`."""
        self._sink = sink
        self._utc = utc
        self._published: tuple[bool, int, bool, Mapping[str, Any]] | None = None
        self._since = ""

    def update(
        self,
        alerting: int,
        people: int,
        at_s: float,
        counts: Mapping[str, Any] = NO_COUNTS,
        paused: bool = False,
    ) -> None:
        """Publish the state at `at_s`, a time on the clock of the frames, if it has changed.

        `alerting` is the number of the `people` in view who have a running alert; `counts` are
        the people per hour (`PeopleCounter.body`).
        """
        no_mask = alerting > 0
        if self._published == (no_mask, people, paused, counts):
            return
        if self._published is None or self._published[0] != no_mask:
            self._since = self._utc.at(at_s)
        self._published = (no_mask, people, paused, counts)
        body = {"no_mask": no_mask, "people": people, "since": self._since, "paused": paused}
        self._sink.retain("state", {**body, **counts}, qos=1)


class HealthReporter:
    """Runs the periodic maintenance and publishes `health`, in its own thread and context.

    It does so at regular intervals, and when a condition changes, such as that of the camera: who
    subscribes must not take a camera that has just failed for one that works. Leaving the context
    waits for at most `STOP_TIMEOUT_S`.
    """

    def __init__(
        self,
        sink: EventSink,
        body: Callable[[], dict[str, Any]],
        interval_s: float,
        maintain: Callable[[], None] = lambda: None,
        condition: Callable[[], object] = lambda: None,
    ) -> None:
        """`body` returns the present figures; `maintain` is called before each report.

        `condition` is called every `CHECK_EVERY_S`; a different result has a report published.
        """
        self._sink = sink
        self._body = body
        self._interval_s = interval_s
        self._maintain = maintain
        self._condition = condition
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)

    def __enter__(self) -> HealthReporter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._thread.join(STOP_TIMEOUT_S)

    def stop(self) -> None:
        """Publish no further report; returns at once."""
        self._stopped.set()

    def _run(self) -> None:
        last: object = None
        condition: object = None
        due_s = -math.inf  # the first report comes at once
        while not self._stopped.wait(min(CHECK_EVERY_S, self._interval_s)):
            # If the condition cannot be read, it counts as unchanged: the reports must continue.
            with contextlib.suppress(Exception):
                condition = self._condition()
            if condition == last and time.monotonic() < due_s:
                continue
            last, due_s = condition, time.monotonic() + self._interval_s
            try:
                self._maintain()
                self._sink.retain("health", self._body(), qos=0)
            except Exception:  # a failure of the report must not end the daemon
                if not self._stopped.is_set():
                    log.exception("the health report failed")


class InfoReporter:
    """Publishes `info`, and keeps the newest body for the status file."""

    def __init__(self, sink: EventSink) -> None:
        """Publish nothing before the first `update`."""
        self._sink = sink
        #: The body that was published last; empty before the first.
        self.body: Mapping[str, Any] = {}

    def update(self, settings: Settings, classifier: Classifier, detector: str) -> None:
        """Publish the titles, the versions, the models, and the settings in use from now on.

        `detector` is the name of the face detector.
        """
        body = info_body(settings, classifier, detector)
        self.body = body
        self._sink.retain("info", body, qos=1)


def info_body(settings: Settings, classifier: Classifier, detector: str) -> dict[str, Any]:
    """Return the titles, the versions, the models, and the digest of the configuration.

    It has no secrets.
    """
    return {
        "title": settings.title,
        "camera": {"name": settings.camera.name, "title": settings.camera.title},
        "version": __version__,
        "python": platform.python_version(),
        "runtime": classifier.runtime,
        "machine": platform.machine(),
        "model": {
            "name": classifier.card.name,
            "digest": classifier.digest,
            "labels": classifier.answer.labels,
        },
        "detector": {"kind": settings.detector.kind, "name": detector},
        "alert_on": settings.events.alert_on,
        "alert_threshold": alert_threshold(settings.events, classifier.answer),
        "unsure": dict(unsure_rule(settings.events, classifier.answer).min_scores),
        "configuration": f"sha256:{_digest(settings)}",
    }


def _digest(settings: Settings) -> str:
    """Return the digest of all settings except names, passwords, and outputs.

    If the digest included them, a reader of `info` could test guesses of names and passwords, which
    the arguments of a program may contain.
    """
    camera = msgspec.structs.replace(settings.camera, source=display_address(settings.camera))
    mqtt = msgspec.structs.replace(settings.mqtt, username="")
    public = msgspec.structs.replace(
        settings, camera=camera, mqtt=mqtt, output=(), dashboard=DashboardSettings()
    )
    return hashlib.sha256(msgspec.json.encode(public)).hexdigest()
