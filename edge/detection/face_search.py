"""The face search: decides in which parts of a frame the detector searches for faces.

A search of the whole frame costs about twelve times as much as a search around one face, and a
hundred times as much as the motion detector. Therefore the detector searches the regions that have
changed, because a person may have arrived there; the surroundings of the tracked faces; and the
whole frame only at intervals, for people whom the motion detector missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from edge.camera.source import Frame
from edge.common.arrays import Box, Pixels
from edge.config.settings import DetectorSettings
from edge.detection.face_detector import Face, FaceDetector, without_overlaps
from edge.detection.luma import Luma
from edge.detection.motion_detector import WHOLE_FRAME, MotionDetector, MotionMask
from edge.detection.motion_regions import body_regions, exclude, motion_regions

#: How a frame was searched: in full, in the regions that changed (and near the tracked faces),
#: near the tracked faces only, or not at all.
SearchKind = Literal["full", "part", "near", "none"]
SEARCH_KINDS: tuple[SearchKind, ...] = ("full", "part", "near", "none")
#: Shortest time between two searches of changed regions while nobody is tracked, and between two
#: wide searches around lost faces: every second frame at 10 frames a second. The cascade misses
#: faces in single frames anyway.
MOTION_EVERY_S = 0.15
#: While people are tracked: shortest time between two searches of the changed regions outside
#: their bodies, and between two searches of all changed regions. Most of the motion is that of the
#: bodies, but a child may stand in front of a body.
BESIDE_EVERY_S, BODIES_EVERY_S = 0.25, 0.35
#: Time after which a changed region is searched once more: the cascade may have missed, in the
#: last frame of the motion, a face that has kept still since.
REPEAT_AFTER_S = 0.3
#: If the regions cover more than this share of the frame, the whole frame is searched instead,
#: in one search without seams.
MAX_PARTIAL_SHARE = 0.75
#: Reach of the search around the predicted box of a tracked face, in face widths; its increase per
#: second since the previous frame; and its maximum. A walk across the frame moves a head by up to
#: nine of its widths a second, most of which is predicted; the head of a person who walks towards
#: the camera becomes larger by a third within a fifth of a second.
NEAR_REACH, NEAR_REACH_PER_S, MAX_NEAR_REACH = 0.3, 1.0, 0.8
#: Reach of the wide search for a tracked face that was not found within `MAX_NEAR_REACH`.
FAR_REACH = 1.5
#: If more faces than this are tracked, a finder that takes the same time for any search searches
#: the whole frame instead: the follower takes its time for each of them.
MAX_FOLLOWED = 1
#: With more faces than `MAX_FOLLOWED` tracked, and nothing to be decided about them, shortest time
#: between two searches: every second frame at 10 frames a second. The tracker bridges longer gaps.
#: While one face is followed, newcomers beside it may wait longer: up to `BODIES_EVERY_S`.
CROWD_EVERY_S = 0.15
#: In a still scene the whole frame is searched after this time, and again whenever the time
#: without motion has doubled, at the latest after `detector.rest_every_s`.
FIRST_STILL_S = 1.0


class FaceSearch:
    """Searches each frame only where faces may be. `find` must be called with every frame."""

    def __init__(self, detector: FaceDetector, settings: DetectorSettings) -> None:
        """Start with nothing searched, so that the first frame is searched in full."""
        self._motion = MotionDetector()
        # The times at which these were last searched: the whole frame, changed regions, changed
        # regions including bodies, and the wider surroundings of lost faces.
        self._full_s = self._regions_s = self._bodies_s = self._far_s = float("-inf")
        # The changed pixels to search once more, and the time at which this is due.
        self._repeat: MotionMask | None = None
        self._repeat_s = 0.0
        self._moved_s = self._at_s = float("-inf")
        #: Whether the last frame was not searched although people are tracked.
        self.has_skipped = False
        #: The number of frames of each kind of search.
        self.counts: dict[SearchKind, int] = dict.fromkeys(SEARCH_KINDS, 0)
        self.change(detector, settings)

    def change(self, detector: FaceDetector, settings: DetectorSettings) -> None:
        """Replace the detector and the settings."""
        self._detector = detector
        self._settings = settings

    def reset(self) -> None:
        """Search the next frame in full, as after a scene cut."""
        self._full_s = float("-inf")

    def find(
        self, frame: Frame, thumbnail: Pixels, predicted: Sequence[Box], settled: bool = False
    ) -> list[Face]:
        """Return the faces in `frame`, those with the highest support first.

        `thumbnail` is the thumbnail of `frame`; `predicted` are the boxes in pixels at which the
        tracked faces should be; `settled` means that nothing is to be decided about them.
        """
        at_s = frame.captured_at_s
        self.has_skipped = False
        if self._settings.full_every_s == 0.0:
            return self._search_in_full(frame)
        changed = self._motion.update(thumbnail, at_s)
        is_crowd = settled and len(predicted) > MAX_FOLLOWED
        self.has_skipped = is_crowd and at_s - self._at_s < CROWD_EVERY_S
        if self.has_skipped:
            self.counts["none"] += 1
            return []
        reach = NEAR_REACH + NEAR_REACH_PER_S * max(0.0, at_s - self._at_s)
        reach = min(MAX_NEAR_REACH, reach)
        self._at_s = at_s
        if predicted or changed.any():
            self._moved_s = at_s
        if self._is_full_search_due(at_s, predicted):
            regions: Sequence[Box] = WHOLE_FRAME
        else:
            regions = self._regions(at_s, changed, body_regions(predicted, frame.size_px))
        if self._is_whole_cheaper(regions, predicted):
            self._motion.mark_searched(WHOLE_FRAME)
            return self._search_in_full(frame)
        self._motion.mark_searched(regions)
        if not regions and not predicted:
            self.counts["none"] += 1
            return []
        luma = self._detector.finder.to_luma(frame)
        faces = [
            face
            for region in regions
            if self._detector.regions is not None
            for face in self._detector.regions.search_region(luma, region)
        ]
        near = self._search_near(luma, predicted, reach, at_s)
        if near is None:
            return self._search_in_full(frame, luma)
        self.counts["part" if regions else "near"] += 1
        return without_overlaps(faces + near)

    def _search_in_full(self, frame: Frame, luma: Luma | None = None) -> list[Face]:
        """Search the whole of `frame`; `luma` is its image, if it exists already."""
        self._full_s = self._regions_s = self._bodies_s = frame.captured_at_s
        self.counts["full"] += 1
        finder = self._detector.finder
        return finder.search(finder.to_luma(frame) if luma is None else luma)

    def _is_whole_cheaper(self, regions: Sequence[Box], predicted: Sequence[Box]) -> bool:
        """Return whether a search of the whole frame costs less than all that is to be searched."""
        if self._detector.regions is None and regions:
            return True
        if self._detector.follower is None and predicted:
            return True
        if self._detector.regions is None and len(predicted) > MAX_FOLLOWED:
            return True
        return sum(w * h for _, _, w, h in regions) > MAX_PARTIAL_SHARE

    def _is_full_search_due(self, at_s: float, predicted: Sequence[Box]) -> bool:
        still_s = at_s - self._moved_s
        every_s = self._settings.full_every_s
        if not predicted and still_s > 0.0:
            every_s = min(self._settings.rest_every_s, max(FIRST_STILL_S, still_s / 2.0))
        return at_s - self._full_s >= every_s

    def _regions(self, at_s: float, changed: MotionMask, bodies: Sequence[Box]) -> Sequence[Box]:
        """Return the regions to search now: those that changed, and those to search once more.

        `bodies` are the regions of tracked people. All regions are fractions of the frame.
        """
        everywhere = not bodies or at_s - self._bodies_s >= BODIES_EVERY_S
        every_s = BESIDE_EVERY_S if bodies else MOTION_EVERY_S
        if at_s - self._regions_s < every_s and not (bodies and everywhere):
            return ()
        wanted = changed
        if self._repeat is not None and at_s >= self._repeat_s:
            if self._repeat.shape == changed.shape:
                wanted = changed | self._repeat
            self._repeat = None
        if changed.any():
            self._repeat, self._repeat_s = changed, at_s + REPEAT_AFTER_S
        regions = motion_regions(wanted if everywhere else exclude(wanted, bodies))
        if regions:
            self._regions_s = at_s
        if everywhere:
            self._bodies_s = at_s
        return regions

    def _search_near(
        self, luma: Luma, predicted: Sequence[Box], reach: float, at_s: float
    ) -> list[Face] | None:
        """Return the faces found around the `predicted` boxes.

        None means that a face was lost, and that the whole frame is to be searched for it.
        """
        follower = self._detector.follower
        if follower is None:
            return []
        found = []
        far_is_due = at_s - self._far_s >= MOTION_EVERY_S
        for box in predicted:
            faces = follower.search_near(luma, box, reach)
            if not faces and far_is_due:
                self._far_s = at_s
                if self._detector.regions is None:
                    return None
                faces = follower.search_near(luma, box, FAR_REACH)
            found += faces
        return found
