"""Our pipeline, built as the daemon builds it; its events are kept."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edge.bench.stage_costs import StageCosts
from edge.camera.frame_rate_limit import FrameRateLimit
from edge.camera.source import Frame
from edge.classification.classifier import load_classifier
from edge.common.clock import UtcClock
from edge.config.settings import Settings, change
from edge.detection.load_detector import load_detector
from edge.events.alert_machine import Event
from edge.events.pipeline import Pipeline


class Ours:
    """Our pipeline as a contender: a new pipeline for each clip; the model is loaded once."""

    name = "ours"

    def __init__(self, settings: Settings) -> None:
        """Load what `settings` names, and run the model once, as the first run is slower.

        Raises UserError for everything that would prevent the daemon from starting.
        """
        self._settings = settings
        self._classifier = load_classifier(settings)
        self.runtime = self._classifier.runtime
        self.model_bytes = self._classifier.path.stat().st_size
        size = self._classifier.card.input
        self._classifier.classify_crop(np.zeros((size.height, size.width, 3), np.uint8))
        self.begin(StageCosts())

    def begin(self, costs: StageCosts) -> None:
        """Start a clip; the times of the stages are added to `costs`."""
        self._pipeline = Pipeline(
            self._settings,
            load_detector(self._settings.detector),
            self._classifier,
            UtcClock(lambda: 0.0),
            costs,
        )
        self._wants = FrameRateLimit(self._settings.camera.fps)
        self._now_s = 0.0
        #: The events of the clip so far.
        self.events: list[Event] = []

    def wants(self, frame: Frame) -> bool:
        """Return whether `camera.fps` permits this frame."""
        return self._wants(frame.captured_at_s)

    def process(self, frame: Frame) -> None:
        """Process `frame` as the daemon's loop does, without the disk and the network."""
        self._now_s = frame.captured_at_s
        self.events += self._pipeline.process(frame)

    def end(self) -> None:
        """End the clip; running alerts end as at a shutdown."""
        self.events += self._pipeline.finish(self._now_s)

    @property
    def work(self) -> Mapping[str, int]:
        """How many frames were searched in which way."""
        return self._pipeline.work_counts

    @property
    def found(self) -> str:
        """A readable summary of the events so far."""
        lines = [
            f"{event.at_s:.1f} s {event.event_type}"
            + (f" ({event.ended_by})" if event.ended_by else "")
            for event in self.events
        ]
        return ", ".join(lines) or "no events"


class CompleteSearch(Ours):
    """The same pipeline, but it searches every frame completely."""

    name = "complete search"

    def __init__(self, settings: Settings) -> None:
        """Load what `settings` names, with `detector.full_every_s` set to 0."""
        super().__init__(change(settings, detector={"full_every_s": 0.0}))

    def wants(self, frame: Frame) -> bool:
        """Return True: every frame is processed."""
        del frame
        return True
