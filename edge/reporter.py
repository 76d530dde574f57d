"""What the device says of itself: `state` when it changes, `health` at intervals, `info` once."""

from __future__ import annotations

import hashlib
import logging
import platform
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from edge import __version__
from edge.classifier import Classifier
from edge.config import Settings
from edge.delivery import EventSink
from edge.errors import UserError
from edge.health import StageTimes, memory_mb, temperature_c
from edge.payloads import UtcClock

log = logging.getLogger(__name__)

NO_COUNTS: Mapping[str, Any] = {}


class StateReporter:
    """Publishes `state` whenever it is no longer what was said last."""

    def __init__(self, sink: EventSink, utc: UtcClock) -> None:
        """Nothing is said before the first `update`."""
        self._sink = sink
        self._utc = utc
        self._said: tuple[bool, int, Mapping[str, Any]] | None = None
        self._since = ""

    def update(
        self, alerting: int, people: int, at_s: float, counts: Mapping[str, Any] = NO_COUNTS
    ) -> None:
        """`alerting` of `people` in view are bare-faced as of the frame of `at_s`.

        `counts` are those of the hour (`PeopleCounter.body`) and are told beside it.
        """
        no_mask = alerting > 0
        if self._said == (no_mask, people, counts):
            return
        if self._said is None or self._said[0] != no_mask:
            self._since = self._utc.at(at_s)
        self._said = (no_mask, people, counts)
        body = {"no_mask": no_mask, "people": people, "since": self._since, **counts}
        self._sink.retain("state", body, qos=1)


class Progress:
    """How far the loop has come; written by it, read by who reports."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing done yet."""
        self._clock = clock
        self.started_s = clock()
        self.frames = 0
        self.newest_frame_s: float | None = None

    def frame_done(self) -> None:
        """One more frame went through every stage."""
        self.frames += 1
        self.newest_frame_s = self._clock()

    def elapsed_s(self) -> float:
        """Since the start."""
        return self._clock() - self.started_s

    def frame_age_s(self) -> float | None:
        """Since the newest frame was done."""
        return None if self.newest_frame_s is None else self._clock() - self.newest_frame_s


class HealthReporter:
    """Publishes `health` at intervals from a thread of its own, as long as `with` lasts."""

    def __init__(
        self,
        sink: EventSink,
        progress: Progress,
        times: StageTimes,
        counters: Callable[[], dict[str, Any]],
        interval_s: float,
    ) -> None:
        """`counters` gives what else belongs into it: outbox depth, dropped frames."""
        self._sink = sink
        self._progress = progress
        self._times = times
        self._counters = counters
        self._interval_s = interval_s
        self._stopped = threading.Event()
        self._frames_said = 0
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)

    def __enter__(self) -> HealthReporter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._interval_s):
            try:
                self._sink.retain("health", self._body(), qos=0)
            except UserError as error:
                log.warning("no health report: %s", error)

    def _body(self) -> dict[str, Any]:
        new_frames = self._progress.frames - self._frames_said
        self._frames_said += new_frames
        age_s = self._progress.frame_age_s()
        return {
            "uptime_s": round(self._progress.elapsed_s(), 1),
            "fps": round(new_frames / self._interval_s, 2),
            "frame_age_s": None if age_s is None else round(age_s, 2),
            "stages_ms": {
                stage: {"p50": q.p50_ms, "p95": q.p95_ms}
                for stage, q in self._times.quantiles().items()
            },
            "memory_mb": memory_mb(),
            "temperature_c": temperature_c(),
            **self._counters(),
        }


def info_body(settings: Settings, classifier: Classifier, threshold: float) -> dict[str, Any]:
    """What runs here: versions, the model, the digest of the configuration; no secrets."""
    configuration = hashlib.sha256(msgspec.json.encode(settings)).hexdigest()
    return {
        "version": __version__,
        "python": platform.python_version(),
        "runtime": classifier.runtime,
        "machine": platform.machine(),
        "model": {
            "name": classifier.card.name,
            "digest": classifier.digest,
            "labels": classifier.card.labels,
        },
        "alert_on": settings.events.alert_on,
        "alert_threshold": threshold,
        "configuration": f"sha256:{configuration}",
    }
