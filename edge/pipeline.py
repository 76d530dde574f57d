"""The path of a frame: Frame → [Face] → [Reading] → [Track] → [Event]."""

from __future__ import annotations

from collections.abc import Sequence

from edge.camera import Frame
from edge.classifier import Classifier
from edge.detector import Face, FaceDetector
from edge.events import Event, EventMachine
from edge.health import StageTimes
from edge.tracker import Reading, Track, Tracker


class Pipeline:
    """Everything between the camera and the outbox; deterministic in its frames."""

    def __init__(
        self,
        detector: FaceDetector,
        classifier: Classifier,
        tracker: Tracker,
        machine: EventMachine,
        times: StageTimes,
    ) -> None:
        """Compose the stages; `times` is fed with what each of them takes."""
        self._detector = detector
        self._classifier = classifier
        self._tracker = tracker
        self._machine = machine
        self._times = times
        self.frames = 0
        self.tracks: Sequence[Track] = ()

    def process(self, frame: Frame) -> list[Event]:
        """The events that `frame` brings; frames come in the order of their times."""
        self.frames += 1
        with self._times.measure("detect"):
            faces = self._detector.find(frame.image_bgr)
        with self._times.measure("classify"):
            readings = self._read(faces, frame)
        with self._times.measure("track"):
            self.tracks = self._tracker.update(readings, frame.captured_at_s)
            return self._machine.update(self.tracks, frame.captured_at_s, frame.size_px)

    def finish(self, now_s: float) -> list[Event]:
        """The events that end what is still running."""
        return self._machine.shutdown(now_s)

    @property
    def alerting(self) -> int:
        """How many people are bare-faced right now."""
        return self._machine.alerting

    def _read(self, faces: Sequence[Face], frame: Frame) -> list[Reading]:
        return [
            Reading(
                face.box_px,
                self._classifier.classify(frame.image_rgb, face.box_px),
                frame.captured_at_s,
            )
            for face in faces
        ]
