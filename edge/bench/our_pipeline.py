"""Our pipeline, composed as the daemon composes it, its events kept."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edge.bench.stage_costs import StageCosts
from edge.camera.frame_rate_limit import FrameRateLimit
from edge.camera.source import Frame
from edge.classification.classifier import load_classifier
from edge.common.clock import UtcClock
from edge.common.paths import shipped_model, user_path
from edge.config.settings import Settings, change
from edge.detection.face_detector import HaarDetector
from edge.events.alert_machine import Event
from edge.events.pipeline import Pipeline


class Ours:
    """A contender: a fresh pipeline for each clip; the model is loaded once."""

    name = "ours"

    def __init__(self, settings: Settings) -> None:
        """Load what `settings` name, and run the model once: the first time is slower.

        Raises UserError for whatever would keep the daemon from starting.
        """
        self._settings = settings
        self._classifier = load_classifier(settings.classifier)
        self.runtime = self._classifier.runtime
        model = settings.classifier.model
        self.model_bytes = (user_path(model) if model else shipped_model()).stat().st_size
        size = self._classifier.card.input
        self._classifier.classify_crop(np.zeros((size.height, size.width, 3), np.uint8))
        self.begin(StageCosts())

    def begin(self, costs: StageCosts) -> None:
        """A clip begins; `costs` is fed with what the stages take."""
        self._pipeline = Pipeline(
            self._settings,
            HaarDetector(self._settings.detector),
            self._classifier,
            UtcClock(lambda: 0.0),
            costs,
        )
        self._wants = FrameRateLimit(self._settings.camera.fps)
        self._now_s = 0.0
        #: What the clip has brought so far.
        self.events: list[Event] = []

    def wants(self, frame: Frame) -> bool:
        """As many a second as `camera.fps` allows."""
        return self._wants(frame.captured_at_s)

    def process(self, frame: Frame) -> None:
        """What the daemon's loop does with `frame`, without the disk and the network."""
        self._now_s = frame.captured_at_s
        self.events += self._pipeline.process(frame)

    def end(self) -> None:
        """The clip is over: whoever is still there is told as at a shutdown."""
        self.events += self._pipeline.finish(self._now_s)

    @property
    def work(self) -> Mapping[str, int]:
        """What was searched, and what was spared."""
        return self._pipeline.work_counts

    @property
    def found(self) -> str:
        """What the clip has brought so far, for people."""
        told = [
            f"{event.at_s:.1f} s {event.event_type}"
            + (f" ({event.ended_by})" if event.ended_by else "")
            for event in self.events
        ]
        return ", ".join(told) or "no events"


class Thorough(Ours):
    """The same, sparing itself nothing: every frame, every one searched wholly."""

    name = "thorough"

    def __init__(self, settings: Settings) -> None:
        """What `settings` say, but for that."""
        super().__init__(change(settings, detector={"full_every_s": 0.0}))

    def wants(self, frame: Frame) -> bool:
        """Every one."""
        del frame
        return True
