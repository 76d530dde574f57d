"""SIGHUP: read the configuration again and apply it while the daemon runs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from edge.camera.every_frame import EveryFrame
from edge.camera.feed import CameraFeed
from edge.camera.orientation import Orientation
from edge.camera.source import Feed, Source
from edge.classification.classifier import alert_labels, load_classifier
from edge.common.errors import UserError
from edge.config.settings import Settings
from edge.daemon.configuration import Configuration
from edge.detection.load_detector import load_detector
from edge.events.pipeline import Pipeline
from edge.events.snapshot import Snapshots
from edge.tracking.zone import Zone

log = logging.getLogger(__name__)

#: Tables and settings whose new values take effect at the next start only: what they configure
#: (connections, files, names) stays open for the whole run.
FIXED = ("device", "title", "mqtt", "outbox", "metrics", "load")


@dataclass(frozen=True)
class _PendingReload:
    """A configuration that is checked and loaded, and is applied once the camera delivers a frame.

    `fixed` names the changed settings that keep their old values until the next start.
    """

    configuration: Configuration
    fixed: list[str]


class Reload:
    """Applies the whole new configuration to the running parts, or nothing if it is refused.

    Opening another camera, or the same camera with another size, rate or time-out, takes time:
    until the camera delivers a frame, nothing changes and the loop continues. People in view keep
    their tracks, and running alerts continue.
    """

    def __init__(
        self,
        running: Configuration,
        load: Callable[[], Settings],
        open_source: Callable[[Settings], Source],
        feed: Feed,
        pipeline: Pipeline,
        on_change: Callable[[Configuration], None],
        check: Callable[[Settings], None] = lambda _settings: None,
    ) -> None:
        """`running` is the configuration in force; `load` reads the settings again, and
        `open_source` opens their source; `on_change` is called with each configuration that
        was applied to `feed` and `pipeline`. `check` raises UserError if another part cannot use
        the new settings."""
        self._running = running
        self._load = load
        self._open_source = open_source
        self._feed = feed
        self._pipeline = pipeline
        self._on_change = on_change
        self._check = check
        self._pending: _PendingReload | None = None

    def __call__(self) -> bool:
        """Begin a reload, or continue the pending one; return whether it is finished.

        Until it is, the caller must call again soon. When the configuration is invalid or the
        camera does not deliver, this raises UserError and changes nothing. Must be called by the
        thread that takes the frames.
        """
        if self._pending is None:
            self._pending = self._begin()
        try:
            if isinstance(self._feed, CameraFeed) and not self._feed.settled():
                return False
        except UserError:
            self._pending = None
            raise
        pending, self._pending = self._pending, None
        self._finish(pending)
        return True

    def _begin(self) -> _PendingReload:
        """Load and check everything, and begin to open the camera if its settings changed."""
        running = self._running
        settings, fixed = self._load_settings()
        # The models are loaded even if their paths are the same: the files may have been replaced.
        classifier = load_classifier(settings)
        if (
            classifier.digest == running.classifier.digest
            and classifier.answer == running.classifier.answer
            and settings.classifier == running.settings.classifier
        ):
            classifier = running.classifier
        detector = load_detector(settings.detector)
        alert_labels(settings.events, classifier)
        Zone.of(settings.camera)
        if settings.snapshot.enabled:
            Snapshots(settings.snapshot)
        self._check(settings)
        # A new search width also reopens the camera, whose luma plane has this width.
        reopens = settings.camera != running.settings.camera
        reopens |= settings.detector.width_px != running.settings.detector.width_px
        if reopens and isinstance(self._feed, CameraFeed):
            self._feed.reopen(lambda: self._open_source(settings), settings.camera)
        return _PendingReload(Configuration(settings, classifier, detector), fixed)

    def _load_settings(self) -> tuple[Settings, list[str]]:
        """Return the new settings, with the old values of those in `FIXED`, and the names of the
        latter that have changed."""
        settings, running = self._load(), self._running.settings
        fixed = [name for name in FIXED if getattr(settings, name) != getattr(running, name)]
        settings = msgspec.structs.replace(
            settings, **{name: getattr(running, name) for name in fixed}
        )
        if settings == running and not fixed:
            log.info("the configuration has not changed")
        return settings, fixed

    def _finish(self, pending: _PendingReload) -> None:
        new, old = pending.configuration, self._running
        camera, previous = new.settings.camera, old.settings.camera
        if isinstance(self._feed, EveryFrame):
            self._feed.adjust(camera)
        elif camera.source != previous.source:
            self._pipeline.reset_tracks()
        if Orientation.of(camera) != Orientation.of(previous):
            self._pipeline.reset_tracks()  # the boxes are those of the picture as it was before
        self._pipeline.change(new.settings, new.detector, new.classifier)
        self._running = new
        self._on_change(new)
        for name in pending.fixed:
            log.warning(
                "the new `%s` takes effect at the next start; all other changes take effect now",
                name,
            )
