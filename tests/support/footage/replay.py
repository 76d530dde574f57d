"""Play one clip, or several clips joined into one, through the pipeline in this process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge.camera.source import Frame
from edge.camera.video.recordings import VideoFile
from edge.classification.classifier import Classifier, Scores
from edge.common.arrays import Box, Pixels
from edge.common.clock import UtcClock
from edge.common.paths import shipped_model
from edge.common.stage_times import StageTimes
from edge.config.settings import DetectorSettings, Settings
from edge.detection.face_detector import Face, FaceDetector
from edge.detection.haar_detector import HaarDetector
from edge.detection.luma import Luma
from edge.events.alert_machine import Event, as_fractions
from edge.events.pipeline import Pipeline

#: In joined clips, the time between the last frame of a clip and the first frame of the next clip.
SEAM_S = 0.1


class CachingDetector(HaarDetector):
    """The real detector, which searches each image and region only once."""

    def __init__(self) -> None:
        super().__init__(DetectorSettings())
        self._found: dict[object, list[Face]] = {}

    def search(self, luma: Luma) -> list[Face]:
        key = _key(luma.pixels)
        if key not in self._found:
            self._found[key] = super().search(luma)
        return self._found[key]

    def search_region(self, luma: Luma, region: Box) -> list[Face]:
        key = _key(luma.pixels), region
        if key not in self._found:
            self._found[key] = super().search_region(luma, region)
        return self._found[key]

    def search_near(self, luma: Luma, box_px: Box, reach: float) -> list[Face]:
        key = _key(luma.pixels), box_px, reach
        if key not in self._found:
            self._found[key] = super().search_near(luma, box_px, reach)
        return self._found[key]


class CachingClassifier(Classifier):
    """The real classifier with two labels, which classifies each crop only once."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, two_labels=True)
        self._scores: dict[bytes, Scores] = {}

    def classify_crop(self, crop_rgb: Pixels) -> Scores:
        key = _key(crop_rgb)
        if key not in self._scores:
            self._scores[key] = super().classify_crop(crop_rgb)
        return self._scores[key]


class Player:
    """Plays clips with one detector and one classifier, whose caches all runs share."""

    def __init__(self) -> None:
        self.detector = CachingDetector()
        self.classifier = CachingClassifier(shipped_model())

    def pipeline(self, settings: Settings | None = None) -> Pipeline:
        return Pipeline(
            settings or Settings(device="door1"),
            FaceDetector.of(self.detector),
            self.classifier,
            UtcClock(lambda: 0.0),
            StageTimes(),
        )

    def play(
        self, frames: Iterator[Frame], settings: Settings | None = None, seams: bool = False
    ) -> Played:
        """Play `frames` through a new pipeline.

        If `seams` is True, the tracks of the pipeline are reset where a clip begins.
        """
        pipeline = self.pipeline(settings)
        events: list[Event] = []
        latencies_s: list[float] = []
        first_evidence_s: dict[int, float] = {}
        now_s = 0.0
        for frame in frames:
            now_s = frame.captured_at_s
            if seams and frame.index == 0:
                pipeline.reset_tracks()
            new = pipeline.process(frame)
            events += new
            for track in pipeline.tracks:
                if track.evidence:
                    first_evidence_s.setdefault(track.number, track.evidence[0].at_s)
                boxes = [e.box for e in new if e.event_type == "no_mask_start"]
                if as_fractions(track.box_px, frame.size_px) in boxes:
                    latencies_s.append(now_s - first_evidence_s[track.number])
        return Played(events + pipeline.finish(now_s), latencies_s, pipeline)


@dataclass(frozen=True)
class Played:
    """The result of playing frames.

    `latencies_s` are the seconds between the first reading of a person that counts as evidence and
    the alert.
    """

    events: list[Event]
    latencies_s: list[float]
    pipeline: Pipeline

    @property
    def starts(self) -> int:
        return sum(event.event_type == "no_mask_start" for event in self.events)

    @property
    def kinds(self) -> list[tuple[str, str | None]]:
        return [(event.event_type, event.ended_by) for event in self.events]


def frames_of(clip: Path) -> Iterator[Frame]:
    """Decode the frames of `clip`."""
    source = VideoFile(clip)
    while (frame := source.read()) is not None:
        yield frame
    source.close()


def joined_frames(
    clips: Sequence[Path],
    fps: float | None = None,
    read: Callable[[Path], Iterable[Frame]] = frames_of,
) -> Iterator[Frame]:
    """Yield the frames of `clips` in sequence, with times that continue from clip to clip.

    At most `fps` frames a second are yielded. Frames keep the index that they have in their clip.
    `read` returns all frames of a clip.
    """
    starts_s = 0.0
    for clip in clips:
        due_s, last_s = 0.0, 0.0
        for frame in read(clip):
            last_s = frame.captured_at_s
            if fps is not None:
                if frame.captured_at_s < due_s - 1e-6:
                    continue
                due_s += 1.0 / fps
            yield replace(frame, captured_at_s=starts_s + frame.captured_at_s)
        starts_s += last_s + SEAM_S


def _key(pixels: Pixels) -> bytes:
    return hashlib.blake2b(pixels.tobytes(), digest_size=16).digest()
