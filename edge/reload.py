"""SIGHUP: the configuration read anew while the daemon goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec

from edge.camera import Feed
from edge.camera.feed import CameraFeed
from edge.camera.opening import open_source
from edge.classifier import Classifier, alert_labels, load_classifier
from edge.config import Settings
from edge.detector import HaarDetector
from edge.pipeline import Pipeline
from edge.zone import Zone

log = logging.getLogger(__name__)

#: What is held open for as long as the daemon runs: connections, files, names.
FIXED = ("device", "mqtt", "outbox", "metrics")


class Reload:
    """Brings what the configuration now says into the running parts: all of it or nothing.

    People in view stay who they are, and alerts that run go on.
    """

    def __init__(
        self,
        settings: Settings,
        load: Callable[[], Settings],
        feed: Feed,
        pipeline: Pipeline,
        classifier: Classifier,
        detector: HaarDetector,
    ) -> None:
        """`load` reads the configuration; the rest is what runs now."""
        self._settings = settings
        self._load = load
        self._feed = feed
        self._pipeline = pipeline
        self._classifier = classifier
        self._detector = detector
        #: Told the settings and the model that hold from now on.
        self.on_change: Callable[[Settings, Classifier], None] = lambda settings, classifier: None

    def __call__(self) -> None:
        """Raises UserError, and has changed nothing then, when the configuration is no good."""
        settings = self._load()
        kept = [name for name in FIXED if getattr(settings, name) != getattr(self._settings, name)]
        settings = msgspec.structs.replace(
            settings, **{name: getattr(self._settings, name) for name in kept}
        )
        if settings == self._settings and not kept:
            log.info("the configuration has not changed")
        classifier, detector = self._classifier, self._detector
        if settings.classifier != self._settings.classifier:
            classifier = load_classifier(settings.classifier)
        if settings.detector != self._settings.detector:
            detector = HaarDetector(settings.detector)
        alert_labels(settings.events, classifier)
        Zone(settings.camera.zone)
        if settings.camera != self._settings.camera and isinstance(self._feed, CameraFeed):
            camera = settings.camera
            self._feed.reopen(lambda: open_source(camera), camera)
            if camera.source != self._settings.camera.source:
                self._pipeline.cut()
        self._pipeline.change(settings, detector, classifier)
        self._settings, self._classifier, self._detector = settings, classifier, detector
        self.on_change(settings, classifier)
        for name in kept:
            log.warning("the new `%s` holds from the next start; the rest holds now", name)
