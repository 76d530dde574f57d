"""Clips played through the real pipeline with several detectors at once: who is found, and when.

All detectors get the same frames one after the other, so that other load on the machine affects
them alike. A reference configuration searches every frame completely and defines which people a
clip shows.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from edge.bench.alert_agreement import agreement, episodes
from edge.bench.measure import one_opencv_thread
from edge.camera.source import Frame
from edge.camera.video.recordings import VideoFile
from edge.classification.classifier import Classifier
from edge.common.arrays import Box, Pixels
from edge.common.clock import UtcClock
from edge.common.stage_times import StageTimes
from edge.config.settings import Settings
from edge.detection.face_detector import Face, FaceDetector, Finder
from edge.detection.luma import Luma
from edge.events.alert_machine import Event
from edge.events.pipeline import Pipeline
from training.data.progress import with_progress
from training.detector_sweep.grid import Configuration
from training.detector_sweep.scenes import match_boxes

#: A track counts as a person if the reference kept it for at least this long, and in at least this
#: share of the frames between its first and its last. Tracks of the cascade's false detections are
#: shorter, or have more gaps.
MIN_PERSON_S, MIN_PERSON_SHARE = 1.0, 0.5


@dataclass(frozen=True)
class Person:
    """A person whom the reference found in a clip: the person's box, in pixels, by the time of the
    frame in seconds.
    """

    boxes: Mapping[float, Box]

    @property
    def first_s(self) -> float:
        """The time at which the reference first found this person."""
        return min(self.boxes)


@dataclass(frozen=True)
class PersonSighting:
    """How a configuration found a person.

    `late_s`: how much later than the reference it found the person, or None if it never did.
    `share`: the share of frames in which it found the person, among the frames that it searched and
    in which the reference found the person.
    """

    late_s: float | None
    share: float


@dataclass(frozen=True)
class ClipResult:
    """The result of a configuration on a clip.

    `late_s`: for each alert that the reference gave as well, how much later this configuration gave
    it. `lost`: the number of alerts that only the reference gave. `added`: the number of alerts
    that only this configuration gave. `false_boxes`: the number of boxes in `frames` frames where
    the reference has no person.
    """

    clip: str
    sights: tuple[PersonSighting, ...]
    starts: int
    late_s: tuple[float, ...]
    lost: int
    added: int
    false_boxes: int
    frames: int
    cpu_s: float


def play_clips(
    clips: Sequence[Path],
    configurations: Sequence[Configuration],
    reference: Configuration,
    classifier: Classifier,
    fps: float,
) -> tuple[dict[Configuration, list[ClipResult]], list[ClipResult]]:
    """Play each clip with each of `configurations` at `fps`, and with `reference` at every frame.

    Returns the results by configuration, and those of the reference. Raises SourceError for a clip
    that cannot be played.
    """
    results: dict[Configuration, list[ClipResult]] = {each: [] for each in configurations}
    reference_results: list[ClipResult] = []
    with one_opencv_thread():
        for clip in clips:
            reference_run = _PipelineRun(reference, classifier)
            runs = {each: _PipelineRun(each, classifier) for each in configurations}
            _play(clip, reference_run, list(runs.values()), fps)
            people = reference_run.people()
            reference_results.append(_compare(clip.name, reference_run, reference_run, people))
            for each, run in runs.items():
                results[each].append(_compare(clip.name, run, reference_run, people))
    return results, reference_results


def _play(
    clip: Path, reference_run: _PipelineRun, runs: Sequence[_PipelineRun], fps: float
) -> None:
    due_s, now_s = 0.0, 0.0
    for frame in with_progress(_frames(clip), clip.name, "frame"):
        now_s = frame.captured_at_s
        reference_run.process(frame)
        if now_s >= due_s - 1e-6:
            due_s += 1.0 / fps
            for run in runs:
                run.process(frame)
    for run in (reference_run, *runs):
        run.finish(now_s)


def _frames(clip: Path) -> Iterator[Frame]:
    source = VideoFile(clip)
    while (frame := source.read()) is not None:
        yield frame
    source.close()


@dataclass
class _TimedDetector:
    """The real detector, with its newest faces and the CPU time that it has used in total."""

    detector: Finder
    newest: list[Face] = field(default_factory=list)
    cpu_s: float = 0.0

    @property
    def name(self) -> str:
        return self.detector.name

    def find(self, image_bgr: Pixels) -> list[Face]:
        return self.detector.find(image_bgr)

    def to_luma(self, frame: Frame) -> Luma:
        started_s = time.thread_time()
        luma = self.detector.to_luma(frame)
        self.cpu_s += time.thread_time() - started_s
        return luma

    def search(self, luma: Luma) -> list[Face]:
        started_s = time.thread_time()
        self.newest = self.detector.search(luma)
        self.cpu_s += time.thread_time() - started_s
        return self.newest


class _PipelineRun:
    """A pipeline with its own detector, and everything that it has found."""

    def __init__(self, configuration: Configuration, classifier: Classifier) -> None:
        self.detector = _TimedDetector(configuration.detector())
        self._pipeline = Pipeline(
            Settings(
                device="frontier",
                # Every frame is searched completely, so that only the quality of the searches is
                # compared.
                detector=msgspec.structs.replace(configuration.settings(), full_every_s=0.0),
            ),
            FaceDetector(finder=self.detector),
            classifier,
            UtcClock(lambda: 0.0),
            StageTimes(),
        )
        self.events: list[Event] = []
        self.boxes: dict[float, list[Box]] = {}
        self._tracks: dict[int, dict[float, Box]] = {}

    def process(self, frame: Frame) -> None:
        now_s = frame.captured_at_s
        self.events += self._pipeline.process(frame)
        self.boxes[now_s] = [face.box_px for face in self.detector.newest]
        for track in self._pipeline.tracks:
            if track.last_seen_s == now_s:
                self._tracks.setdefault(track.number, {})[now_s] = track.box_px

    def finish(self, now_s: float) -> None:
        self.events += self._pipeline.finish(now_s)

    def people(self) -> list[Person]:
        """Return the tracks that are people, in the order of their first appearance."""
        people = []
        for boxes in self._tracks.values():
            first_s, last_s = min(boxes), max(boxes)
            between = sum(first_s <= at_s <= last_s for at_s in self.boxes)
            if last_s - first_s >= MIN_PERSON_S and len(boxes) >= MIN_PERSON_SHARE * between:
                people.append(Person(boxes))
        return sorted(people, key=lambda person: person.first_s)


def _compare(
    clip: str, run: _PipelineRun, reference_run: _PipelineRun, people: Sequence[Person]
) -> ClipResult:
    times_seen: list[list[float]] = [[] for _ in people]
    frames_looked = [0] * len(people)
    false_boxes = 0
    for at_s, boxes in run.boxes.items():
        visible = [index for index, person in enumerate(people) if at_s in person.boxes]
        matches = match_boxes(boxes, [people[index].boxes[at_s] for index in visible])
        false_boxes += len(boxes) - len(matches)
        for index in visible:
            frames_looked[index] += 1
        for match in matches.values():
            times_seen[visible[match]].append(at_s)
    sights = tuple(
        PersonSighting(
            times[0] - person.first_s if times else None, len(times) / count if count else 0.0
        )
        for person, times, count in zip(people, times_seen, frames_looked, strict=True)
    )
    own, expected = episodes(run.events), episodes(reference_run.events)
    late_s = agreement(own, expected)
    return ClipResult(
        clip,
        sights,
        len(own),
        late_s,
        len(expected) - len(late_s),
        len(own) - len(late_s),
        false_boxes,
        len(run.boxes),
        run.detector.cpu_s,
    )
