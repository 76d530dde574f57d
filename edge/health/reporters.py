"""What the device says of itself: `state` when it changes, `health` at intervals, `info` once."""

from __future__ import annotations

import hashlib
import logging
import platform
import threading
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from edge import __version__
from edge.camera.source_address import display_address
from edge.classification.classifier import Classifier, alert_threshold
from edge.common.clock import UtcClock
from edge.config.settings import DashboardSettings, Settings
from edge.mqtt.delivery import EventSink

log = logging.getLogger(__name__)

#: A report that hangs (a disk that does not answer) is left behind after this.
FAREWELL_S = 0.5
NO_COUNTS: Mapping[str, Any] = {}


class StateReporter:
    """Publishes `state` whenever it is no longer what was said last."""

    def __init__(self, sink: EventSink, utc: UtcClock) -> None:
        """Nothing is said before the first `update`."""
        self._sink = sink
        self._utc = utc
        self._said: tuple[bool, int, bool, Mapping[str, Any]] | None = None
        self._since = ""

    def update(
        self,
        alerting: int,
        people: int,
        at_s: float,
        counts: Mapping[str, Any] = NO_COUNTS,
        paused: bool = False,
    ) -> None:
        """`alerting` of `people` in view are bare-faced as of the frame of `at_s`.

        `counts` are those of the hour (`PeopleCounter.body`) and are told beside it.
        """
        no_mask = alerting > 0
        if self._said == (no_mask, people, paused, counts):
            return
        if self._said is None or self._said[0] != no_mask:
            self._since = self._utc.at(at_s)
        self._said = (no_mask, people, paused, counts)
        body = {"no_mask": no_mask, "people": people, "since": self._since, "paused": paused}
        self._sink.retain("state", {**body, **counts}, qos=1)


class HealthReporter:
    """Publishes `health` at intervals from a thread of its own, as long as `with`
    lasts; what has to be done now and then is done with it. Leaving waits for at most
    `FAREWELL_S`."""

    def __init__(
        self,
        sink: EventSink,
        body: Callable[[], dict[str, Any]],
        interval_s: float,
        chores: Callable[[], None] = lambda: None,
    ) -> None:
        """`body` gives the figures now; `chores` is called before each report."""
        self._sink = sink
        self._body = body
        self._interval_s = interval_s
        self._chores = chores
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)

    def __enter__(self) -> HealthReporter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()
        self._thread.join(FAREWELL_S)

    def leave(self) -> None:
        """Report no more; returns at once."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._interval_s):
            try:
                self._chores()
                self._sink.retain("health", self._body(), qos=0)
            except Exception:  # the figures are worth less than what they tell of
                if not self._stopped.is_set():
                    log.exception("no health report")


class InfoReporter:
    """Publishes `info`, and keeps the newest body for the status file."""

    def __init__(self, sink: EventSink) -> None:
        """Publish nothing before the first `update`."""
        self._sink = sink
        #: The body that was published last; empty before the first.
        self.body: Mapping[str, Any] = {}

    def update(self, settings: Settings, classifier: Classifier) -> None:
        """Publish what runs from now on."""
        threshold = alert_threshold(settings.events, classifier.card)
        body = info_body(settings, classifier, threshold)
        self.body = body
        self._sink.retain("info", body, qos=1)


def info_body(settings: Settings, classifier: Classifier, threshold: float) -> dict[str, Any]:
    """What runs here: versions, the model, the digest of the configuration; no secrets."""
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
        "configuration": f"sha256:{_digest(settings)}",
    }


def _digest(settings: Settings) -> str:
    """Of everything but names and passwords: whoever reads it could try those out against it."""
    camera = msgspec.structs.replace(settings.camera, source=display_address(settings.camera))
    mqtt = msgspec.structs.replace(settings.mqtt, username="")
    public = msgspec.structs.replace(
        settings, camera=camera, mqtt=mqtt, dashboard=DashboardSettings()
    )
    return hashlib.sha256(msgspec.json.encode(public)).hexdigest()
