"""The pipeline that each frame passes through: Frame → [Face] → [Reading] → [Track] → [Event]."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from edge.camera.source import Frame
from edge.classification.classifier import Classifier, alert_labels, alert_threshold
from edge.classification.unsure import unsure_rule
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
from edge.tracking.classification_schedule import DecisionRule, faces_to_classify
from edge.tracking.face_quality import appearance_of, measure_quality
from edge.tracking.frame_spacing import FrameSpacing
from edge.tracking.track import Reading, Track
from edge.tracking.tracker import Tracker
from edge.tracking.zone import Zone

#: With a shorter `tracker.leave_after_s`, every frame is searched: two frames without a search, of
#: which each follows the previous one after up to 0.3 s, must end no track.
MIN_LEAVE_AFTER_S = 0.6

log = logging.getLogger(__name__)


class Pipeline:
    """All stages between the camera and the outbox; the same frames give the same events."""

    def __init__(
        self,
        settings: Settings,
        detector: FaceDetector,
        classifier: Classifier,
        utc: UtcClock,
        times: StageTimes,
    ) -> None:
        """Create the stages; `times` records the durations of the stages.

        Raises UsageError if the zone is not a polygon, and UserError if `events.alert_on` contains
        a label that the model lacks.
        """
        alert_labels(settings.events, classifier)
        self._zone = Zone.of(settings.camera)
        self._settings = settings
        self._search = FaceSearch(detector, settings.detector)
        self._classifier = classifier
        self._threshold = alert_threshold(settings.events, classifier.answer)
        self._rule = _decision_rule(settings, self._threshold)
        self._unsure = unsure_rule(settings.events, classifier.answer)
        self._cuts = SceneCutDetector()
        self._tracker = Tracker(settings.tracker, settings.events.min_readings)
        self._alerts = AlertMachine(
            settings.events, self._threshold, lambda: new_episode_id(settings.device)
        )
        self._people = PeopleCounter(settings.events.min_readings, utc.epoch_s)
        self._times = times
        self._size_px = (1, 1)
        self._spacing = FrameSpacing()
        self.frames = 0
        self._unclassified = 0
        self.tracks: Sequence[Track] = ()

    def change(self, settings: Settings, detector: FaceDetector, classifier: Classifier) -> None:
        """Replace the settings, the detector and the model; all tracks and alerts continue.

        If the model or its answer has changed, the evidence of the previous one is dropped. Raises
        the same exceptions as the constructor, and then changes nothing.
        """
        alert_labels(settings.events, classifier)
        self._zone = Zone.of(settings.camera)
        previous = self._classifier
        if (classifier.digest, classifier.answer) != (previous.digest, previous.answer):
            self._tracker.drop_evidence()
            self.tracks = self._tracker.tracks()
        self._settings, self._classifier = settings, classifier
        self._threshold = alert_threshold(settings.events, classifier.answer)
        self._rule = _decision_rule(settings, self._threshold)
        self._unsure = unsure_rule(settings.events, classifier.answer)
        self._search.change(detector, settings.detector)
        self._tracker.change(settings.tracker, settings.events.min_readings)
        self._alerts.change(settings.events, self._threshold)
        self._people.change(settings.events.min_readings)

    def reset_tracks(self) -> None:
        """Drop all tracks, because the next frame shows another place or time."""
        self._tracker.reset()
        self._search.reset()
        self.tracks = ()

    def process(self, frame: Frame) -> list[Event]:
        """Process `frame` and return its events; frames must come in the order of their times."""
        self.frames += 1
        now_s, size_px = frame.captured_at_s, frame.size_px
        if self._spacing.update(now_s, self._settings.tracker, self._settings.events):
            log.warning("%s", self.warning or "frames come often enough again")
        self._follow_size(size_px)
        with self._times.measure("detect"):
            thumbnail = make_thumbnail(frame)
            if self._cuts.is_cut(thumbnail, now_s):
                self.reset_tracks()
            predicted = self._tracker.predict_boxes(now_s)
            settled = frozenset(t.number for t in self.tracks if self._is_settled(t))
            found = self._search.find(frame, thumbnail, predicted, self._may_skip(settled))
            faces = [face for face in found if self._zone.contains_face(face.box_px, size_px)]
        with self._times.measure("classify"):
            readings = self._readings(faces, frame, settled)
        with self._times.measure("track"):
            self.tracks = self._tracker.update(readings, now_s)
            self._people.update(self.tracks, now_s)
            return self._alerts.update(self.tracks, now_s, size_px)

    def advance_time(self, now_s: float) -> list[Event]:
        """Advance the time to `now_s` without a frame and return the resulting events.

        People who have not been seen for `tracker.leave_after_s` have left.
        """
        self.tracks = self._tracker.update((), now_s)
        self._people.update(self.tracks, now_s)
        return self._alerts.update(self.tracks, now_s, self._size_px)

    @property
    def warning(self) -> str:
        """One line on why nobody can cause an alert; empty if nothing is wrong. Any thread may
        read it."""
        return self._spacing.warning

    def _follow_size(self, size_px: tuple[int, int]) -> None:
        """Keep the tracks at their places when the camera changes the size of its frames."""
        before, self._size_px = self._size_px, size_px
        if before != size_px and self.tracks:
            self._tracker.rescale(size_px[1] / before[1], size_px[0] / before[0])
            self.tracks = self._tracker.tracks()

    def finish(self, now_s: float) -> list[Event]:
        """End all tracks: count the people present and return the events that end their alerts."""
        self._people.finish(now_s)
        self.reset_tracks()
        return self._alerts.shutdown(now_s)

    @property
    def alert_count(self) -> int:
        """The number of active alerts."""
        return self._alerts.alert_count

    def alert_boxes(self, now_s: float) -> tuple[tuple[float, float, float, float], ...]:
        """Return the boxes of people with an active alert who are in the frame of `now_s`.

        Each is x, y, width, height as fractions of the frame.
        """
        return self._alerts.alert_boxes(now_s)

    @property
    def has_searched(self) -> bool:
        """Whether the last frame was searched as far as needed, so that the tracks show it.

        It is False for a frame that was left out while a crowd is in view.
        """
        return not self._search.has_skipped

    @property
    def work_counts(self) -> Mapping[str, int]:
        """The number of frames by how they were searched (`edge.detection.face_search.SearchKind`),
        and the number of faces that needed no classification (`unclassified`)."""
        counts: dict[str, int] = dict(self._search.counts.items())
        return counts | {"unclassified": self._unclassified}

    @property
    def people_counts(self) -> Mapping[str, Any]:
        """The counts of people, as part of the `state` message."""
        return self._people.body()

    def _may_skip(self, settled: frozenset[int]) -> bool:
        """Whether frames without a search would delay no decision and end no track.

        `settled` are the numbers of the tracks about which nothing is to be decided.
        """
        leave_after_s = self._settings.tracker.leave_after_s
        return leave_after_s >= MIN_LEAVE_AFTER_S and len(settled) == len(self.tracks)

    def _is_settled(self, track: Track) -> bool:
        """Whether nothing is to be decided about `track`."""
        return self._rule.is_settled(track) and self._alerts.is_decided(track)

    def _readings(
        self, faces: Sequence[Face], frame: Frame, settled: frozenset[int]
    ) -> list[Reading]:
        """Return a reading of each face, classified if that can still change a decision."""
        at_s = frame.captured_at_s
        known = {track.number: track for track in self.tracks}
        numbers = self._tracker.match([face.box_px for face in faces], at_s)
        tracks = [None if number is None else known.get(number) for number in numbers]
        chosen = faces_to_classify(tracks, at_s, settled)
        self._unclassified += len(faces) - len(chosen)
        return [
            self._classify(face, frame) if index in chosen else Reading(face.box_px, None, at_s)
            for index, face in enumerate(faces)
        ]

    def _classify(self, face: Face, frame: Frame) -> Reading:
        crop = self._classifier.crop(frame.image_rgb, face.box_px)
        scores = self._classifier.classify_crop(crop)
        is_unsure = self._unsure.is_unsure(scores)
        return Reading(
            face.box_px,
            scores,
            frame.captured_at_s,
            0.0 if is_unsure else measure_quality(face, crop, frame.size_px).weight,
            appearance_of(crop),
        )


def _decision_rule(settings: Settings, threshold: float) -> DecisionRule:
    events = settings.events
    return DecisionRule(tuple(events.alert_on), threshold, events.min_readings)
