"""SIGHUP: the configuration read anew while the daemon goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from edge.camera.feed import CameraFeed
from edge.camera.source import Feed, Source
from edge.classification.classifier import Classifier, alert_labels, load_classifier
from edge.common.errors import UserError
from edge.config.settings import Settings
from edge.detection.face_detector import HaarDetector
from edge.events.pipeline import Pipeline
from edge.tracking.zone import Zone

log = logging.getLogger(__name__)

#: What is held open for as long as the daemon runs: connections, files, names.
FIXED = ("device", "mqtt", "outbox", "metrics", "load")


@dataclass(frozen=True)
class _Plan:
    """What will hold, all at once; the new settings of `kept` from the next start."""

    settings: Settings
    classifier: Classifier
    detector: HaarDetector
    kept: list[str]


class Reload:
    """Brings what the configuration now says into the running parts: all of it or nothing.

    Another camera, or other settings that a camera is opened with, take their time: until
    it delivers everything stays as it is, and the loop goes on. People in view stay who they
    are, and alerts that run go on.
    """

    def __init__(
        self,
        settings: Settings,
        load: Callable[[], Settings],
        open_source: Callable[[Settings], Source],
        feed: Feed,
        pipeline: Pipeline,
        classifier: Classifier,
        detector: HaarDetector,
    ) -> None:
        """`load` reads the configuration, `open_source` opens its source; the rest is what
        runs now."""
        self._settings = settings
        self._load = load
        self._open_source = open_source
        self._feed = feed
        self._pipeline = pipeline
        self._classifier = classifier
        self._detector = detector
        self._plan: _Plan | None = None
        #: Told the settings and the model that hold from now on.
        self.on_change: Callable[[Settings, Classifier], None] = lambda settings, classifier: None

    def __call__(self) -> bool:
        """Begin, or go on with what was begun; whether that is done, else call again soon.

        Raises UserError, and has changed nothing then, when the configuration is no good or
        the camera does not deliver. Called by the thread that takes the frames.
        """
        if self._plan is None:
            self._plan = self._begin()
        try:
            if isinstance(self._feed, CameraFeed) and not self._feed.settled():
                return False
        except UserError:
            self._plan = None
            raise
        plan, self._plan = self._plan, None
        self._finish(plan)
        return True

    def _begin(self) -> _Plan:
        settings = self._load()
        kept = [name for name in FIXED if getattr(settings, name) != getattr(self._settings, name)]
        settings = msgspec.structs.replace(
            settings, **{name: getattr(self._settings, name) for name in kept}
        )
        if settings == self._settings and not kept:
            log.info("the configuration has not changed")
        detector = self._detector
        # Another model may stand under the same name.
        classifier = load_classifier(settings.classifier)
        if (
            classifier.digest == self._classifier.digest
            and settings.classifier == self._settings.classifier
        ):
            classifier = self._classifier
        if settings.detector != self._settings.detector:
            detector = HaarDetector(settings.detector)
        alert_labels(settings.events, classifier)
        Zone(settings.camera.zone)
        # The width that is searched is that of the luma plane, the next time it is opened.
        another = settings.camera != self._settings.camera
        another |= settings.detector.width_px != self._settings.detector.width_px
        if another and isinstance(self._feed, CameraFeed):
            self._feed.reopen(lambda: self._open_source(settings), settings.camera)
        return _Plan(settings, classifier, detector, kept)

    def _finish(self, plan: _Plan) -> None:
        settings, classifier, detector = plan.settings, plan.classifier, plan.detector
        another = settings.camera.source != self._settings.camera.source
        if another and isinstance(self._feed, CameraFeed):
            self._pipeline.reset_tracks()
        self._pipeline.change(settings, detector, classifier)
        self._settings, self._classifier, self._detector = settings, classifier, detector
        self.on_change(settings, classifier)
        for name in plan.kept:
            log.warning("the new `%s` holds from the next start; the rest holds now", name)
