"""The path of a frame: Frame → [Face] → [Reading] → [Track] → [Event]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edge.camera.source import Frame
from edge.classification.classifier import Classifier, alert_labels, alert_threshold
from edge.common.clock import UtcClock
from edge.common.stage_times import StageTimes
from edge.config.settings import Settings
from edge.detection.face_detector import Face, FaceDetector
from edge.detection.face_search import FaceSearch
from edge.detection.scene_cut import SceneCutDetector
from edge.detection.thumbnail import make_thumbnail
from edge.events.alert_machine import AlertMachine, Event
from edge.events.episode_id import new_episode_id
from edge.events.people_counter import PeopleCounter
from edge.tracking.classification_schedule import needs_classification
from edge.tracking.face_quality import measure_quality
from edge.tracking.track import Reading, Track
from edge.tracking.tracker import Tracker
from edge.tracking.zone import Zone


class Pipeline:
    """Everything between the camera and the outbox; deterministic in its frames."""

    def __init__(
        self,
        settings: Settings,
        detector: FaceDetector,
        classifier: Classifier,
        utc: UtcClock,
        times: StageTimes,
    ) -> None:
        """Compose the stages; `times` is fed with what each of them takes.

        Raises UsageError for a zone that is no polygon, UserError when `events.alert_on`
        names a label that the model lacks.
        """
        alert_labels(settings.events, classifier)
        self._zone = Zone(settings.camera.zone)
        self._settings = settings
        self._search = FaceSearch(detector, settings.detector)
        self._classifier = classifier
        self._threshold = alert_threshold(settings.events, classifier.card)
        self._cuts = SceneCutDetector()
        self._tracker = Tracker(settings.tracker, settings.events.min_readings)
        self._machine = AlertMachine(
            settings.events, self._threshold, lambda: new_episode_id(settings.device)
        )
        self._people = PeopleCounter(settings.events.min_readings, utc.epoch_s)
        self._times = times
        self._size_px = (1, 1)
        self.frames = 0
        self._spared = 0
        self.tracks: Sequence[Track] = ()

    def change(self, settings: Settings, detector: FaceDetector, classifier: Classifier) -> None:
        """Go on with other settings, another detector or model; everybody keeps their number
        and their alert. Nothing is changed when it raises what the constructor raises.

        What another model said is not mixed with what this one says: labels are read anew.
        """
        alert_labels(settings.events, classifier)
        self._zone = Zone(settings.camera.zone)
        if classifier.digest != self._classifier.digest:
            self._tracker.drop_evidence()
            self.tracks = self._tracker.tracks()
        self._settings, self._classifier = settings, classifier
        self._threshold = alert_threshold(settings.events, classifier.card)
        self._search.change(detector, settings.detector)
        self._tracker.change(settings.tracker, settings.events.min_readings)
        self._machine.change(settings.events, self._threshold)
        self._people.change(settings.events.min_readings)

    def reset_tracks(self) -> None:
        """The next frame shows another place or time: whoever is in it is somebody new."""
        self._tracker.reset()
        self._search.reset()
        self.tracks = ()

    def process(self, frame: Frame) -> list[Event]:
        """The events that `frame` brings; frames come in the order of their times."""
        self.frames += 1
        now_s, size_px = frame.captured_at_s, frame.size_px
        self._size_px = size_px
        with self._times.measure("detect"):
            seen = make_thumbnail(frame)
            if self._cuts.is_cut(seen, now_s):
                self.reset_tracks()
            found = self._search.find(frame, seen, self._tracker.predict_boxes(now_s))
            faces = [face for face in found if self._zone.contains_face(face.box_px, size_px)]
        with self._times.measure("classify"):
            readings = self._readings(faces, frame)
        with self._times.measure("track"):
            self.tracks = self._tracker.update(readings, now_s)
            self._people.update(self.tracks, now_s)
            return self._machine.update(self.tracks, now_s, size_px)

    def advance_time(self, now_s: float) -> list[Event]:
        """The events that it brings when no frame comes: who is not seen has left."""
        self.tracks = self._tracker.update((), now_s)
        self._people.update(self.tracks, now_s)
        return self._machine.update(self.tracks, now_s, self._size_px)

    def finish(self, now_s: float) -> list[Event]:
        """The events that end what is still running; whoever is there is counted."""
        self._people.finish(now_s)
        self.reset_tracks()
        return self._machine.shutdown(now_s)

    @property
    def alert_count(self) -> int:
        """How many people are bare-faced right now."""
        return self._machine.alert_count

    def alert_boxes(self, now_s: float) -> tuple[tuple[float, float, float, float], ...]:
        """Where the frame of `now_s` shows them: x, y, width, height as fractions of it."""
        return self._machine.alert_boxes(now_s)

    @property
    def work_counts(self) -> Mapping[str, int]:
        """How many frames were searched wholly, in part, near the known faces, not at all, and
        how many faces were seen that needed no classification."""
        counts: dict[str, int] = dict(self._search.counts.items())
        return counts | {"unclassified": self._spared}

    @property
    def people_counts(self) -> Mapping[str, Any]:
        """The people counted, as `state` tells them."""
        return self._people.body()

    def _readings(self, faces: Sequence[Face], frame: Frame) -> list[Reading]:
        """Where everybody is; what they wear, where it can still change a decision."""
        at_s, events = frame.captured_at_s, self._settings.events
        known = {track.number: track for track in self.tracks}
        readings = []
        owners = self._tracker.match([face.box_px for face in faces], at_s)
        for face, owner in zip(faces, owners, strict=True):
            track = known.get(owner) if owner is not None else None
            if needs_classification(
                track, at_s, events.alert_on, self._threshold, events.min_readings
            ):
                readings.append(self._read(face, frame))
            else:
                self._spared += 1
                readings.append(Reading(face.box_px, None, at_s))
        return readings

    def _read(self, face: Face, frame: Frame) -> Reading:
        crop = self._classifier.crop(frame.image_rgb, face.box_px)
        return Reading(
            face.box_px,
            self._classifier.classify_crop(crop),
            frame.captured_at_s,
            measure_quality(face, crop, frame.size_px).weight,
        )
