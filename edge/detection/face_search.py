"""Where in a frame faces are searched for: everywhere, where something moves, near the known
ones, or nowhere.

A search of the whole picture costs some twelve times one around a face, and a hundred times a
glance at whether anything has changed. So faces are searched for where somebody may have come,
in the parts of the picture that are new; where the known ones should be; and in all of it now and
then only, for whoever the gate did not see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from edge.camera.source import Frame
from edge.common.arrays import Box, Pixels
from edge.config.settings import DetectorSettings
from edge.detection.face_detector import Face, FaceDetector, Luma, without_overlaps
from edge.detection.motion_detector import WHOLE, Mask, MotionDetector
from edge.detection.motion_regions import bodies, regions, without

Kind = Literal["full", "part", "near", "none"]
KINDS: tuple[Kind, ...] = ("full", "part", "near", "none")
#: While somebody may have come, what is new is searched so often, and farther around a face that
#: was lost: every other frame at ten a second. The cascade misses faces in single frames anyway.
SEARCH_EVERY_S = 0.15
#: … and so often while somebody is known: beside them, and also where their own body moves, which
#: is most of what does; a child may come before it.
BESIDE_EVERY_S, BODIES_EVERY_S = 0.25, 0.35
#: What was new is searched once more after so long: in its last picture the cascade may have
#: missed a face that now keeps still.
AGAIN_S = 0.3
#: From this share of the picture on it is searched wholly: one search, and no seams.
MAX_SHARE = 0.75
#: A known face is looked for this much of its width around where it should be, and more the
#: longer ago the last frame was: a brisk walk moves a head by one and a half of its widths a
#: second, most of which is expected, and lets it grow by a third in a fifth of one.
NEAR, NEAR_PER_S, MAX_NEAR = 0.3, 1.0, 0.8
#: … and this much when it is not there.
FAR = 1.5
#: In a scene that has just become still the whole picture is searched after so long, and then
#: whenever it has been still for twice as long.
STILL_S = 1.0


class FaceSearch:
    """Spends the detector's time; to be shown every frame."""

    def __init__(self, detector: FaceDetector, settings: DetectorSettings) -> None:
        """Nothing searched yet: the first frame is, wholly."""
        self._gate = MotionDetector()
        # When the whole picture, what was new, bodies too, and around lost faces was searched.
        self._full_s = self._part_s = self._bodies_s = self._far_s = float("-inf")
        # What is to be searched once more, and from when on.
        self._again: Mask | None = None
        self._again_s = 0.0
        self._moved_s = self._at_s = float("-inf")
        #: How many frames were searched wholly, where something moves, near the known faces
        #: only, not at all.
        self.counts: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        self.change(detector, settings)

    def change(self, detector: FaceDetector, settings: DetectorSettings) -> None:
        """Go on with another detector or other settings."""
        self._detector = detector
        self._settings = settings

    def reset(self) -> None:
        """Nothing of before holds any more: the next frame is searched wholly."""
        self._full_s = float("-inf")

    def find(self, frame: Frame, seen: Pixels, known: Sequence[Box]) -> list[Face]:
        """Faces in `frame`, surest first; `seen`: a glance at it; `known`: where people's faces
        should be, pixels."""
        at_s = frame.captured_at_s
        reach = min(MAX_NEAR, NEAR + NEAR_PER_S * max(0.0, at_s - self._at_s))
        self._at_s = at_s
        if self._settings.full_every_s == 0.0:
            return self._wholly(frame)
        new = self._gate.look(seen, at_s)
        if known or new.any():
            self._moved_s = at_s
        if self._is_full_due(at_s, known):
            parts: Sequence[Box] = WHOLE
        else:
            parts = self._parts(at_s, new, bodies(known, frame.size_px))
        if sum(w * h for _, _, w, h in parts) > MAX_SHARE:
            self._gate.searched(WHOLE)
            return self._wholly(frame)
        self._gate.searched(parts)
        if not parts and not known:
            self.counts["none"] += 1
            return []
        self.counts["part" if parts else "near"] += 1
        luma = self._detector.to_luma(frame)
        faces = [face for part in parts for face in self._detector.search_region(luma, part)]
        return without_overlaps(faces + self._near(luma, known, reach, at_s))

    def _wholly(self, frame: Frame) -> list[Face]:
        self._full_s = self._part_s = self._bodies_s = frame.captured_at_s
        self.counts["full"] += 1
        return self._detector.search(self._detector.to_luma(frame))

    def _is_full_due(self, at_s: float, known: Sequence[Box]) -> bool:
        still_s = at_s - self._moved_s
        every_s = self._settings.full_every_s
        if not known and still_s > 0.0:
            every_s = min(self._settings.rest_every_s, max(STILL_S, still_s / 2.0))
        return at_s - self._full_s >= every_s

    def _parts(self, at_s: float, new: Mask, known: Sequence[Box]) -> Sequence[Box]:
        """What to search now: what is `new`, and once more what was; `known`: the bodies of the
        known, as fractions."""
        everywhere = not known or at_s - self._bodies_s >= BODIES_EVERY_S
        every_s = BESIDE_EVERY_S if known else SEARCH_EVERY_S
        if at_s - self._part_s < every_s and not (known and everywhere):
            return ()
        wanted = new
        if self._again is not None and at_s >= self._again_s:
            if self._again.shape == new.shape:
                wanted = new | self._again
            self._again = None
        if new.any():
            self._again, self._again_s = new, at_s + AGAIN_S
        parts = regions(wanted if everywhere else without(wanted, known))
        if parts:
            self._part_s = at_s
        if everywhere:
            self._bodies_s = at_s
        return parts

    def _near(self, luma: Luma, known: Sequence[Box], reach: float, at_s: float) -> list[Face]:
        """Those of `known` that are where they should be, or not far from there."""
        found = []
        far = at_s - self._far_s >= SEARCH_EVERY_S
        for box in known:
            faces = self._detector.search_near(luma, box, reach)
            if not faces and far:
                self._far_s = at_s
                faces = self._detector.search_near(luma, box, FAR)
            found += faces
        return found
