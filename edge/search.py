"""Where in a frame faces are searched for: everywhere, where something moves, near the known
ones, or nowhere.

A search of the whole picture costs ten times one around a face, and a hundred times a glance
at whether anything moved. So faces are searched for where somebody may have come, in the part
of the picture that moves and belongs to nobody known; where the known ones should be; and in all
of it now and then only, for whoever the gate did not see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from edge.camera import Frame
from edge.config import DetectorSettings
from edge.detector import Face, FaceDetector, Luma, without_overlaps
from edge.framing import Box, Pixels
from edge.gate import WHOLE, Mask, MotionGate, Novelty
from edge.regions import bodies, regions, without

Kind = Literal["full", "part", "near", "none"]
KINDS: tuple[Kind, ...] = ("full", "part", "near", "none")
#: While somebody may have come, what moves is searched so often: every other frame at ten a
#: second. The cascade misses faces in single frames anyway.
SEARCH_EVERY_S = 0.15
#: … and so often while somebody is known: arms and passers-by move, too.
BESIDE_EVERY_S = 0.3
#: So often also where the body of somebody known moves: a child may stand before it.
BODIES_EVERY_S = 0.5
#: From this share of the picture on it is searched wholly: one search, and no seams.
MOST_SHARE = 0.75
#: A known face is looked for this much of its width around where it should be, and more the
#: longer ago the last frame was: a brisk walk moves a head by one and a half of its widths a
#: second, most of which is expected, and lets it grow by a third in a fifth of one.
NEAR, NEAR_PER_S, MOST_NEAR = 0.3, 1.0, 0.8
#: … and this much when it is not there.
FAR = 1.5
#: In a scene that has just become still the whole picture is searched after so long, and then
#: whenever it has been still for twice as long.
STILL_S = 1.0


class FaceSearch:
    """Spends the detector's time; to be shown every frame."""

    def __init__(self, detector: FaceDetector, settings: DetectorSettings) -> None:
        """Nothing searched yet: the first frame is, wholly."""
        self._gate = MotionGate()
        self._novelty = Novelty()
        # When the whole picture, what moves, bodies too, and around lost faces was searched.
        self._full_s = self._part_s = self._bodies_s = self._far_s = float("-inf")
        self._moved_s = self._at_s = float("-inf")
        #: How many frames were searched wholly, where something moves, near the known faces
        #: only, not at all.
        self.counts: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        self.change(detector, settings)

    def change(self, detector: FaceDetector, settings: DetectorSettings) -> None:
        """Go on with another detector or other settings."""
        self._detector = detector
        self._settings = settings

    def find(self, frame: Frame, seen: Pixels, known: Sequence[Box]) -> list[Face]:
        """Faces in `frame`, surest first; `seen`: a glance at it; `known`: where people's faces
        should be, pixels."""
        at_s = frame.captured_at_s
        reach = min(MOST_NEAR, NEAR + NEAR_PER_S * max(0.0, at_s - self._at_s))
        self._at_s = at_s
        if self._settings.full_every_s == 0.0:
            return self._wholly(frame)
        moving = self._gate.look(seen, at_s)
        if moving is None or moving.any():
            self._moved_s = at_s
        if moving is None or self._is_full_due(at_s, known):
            parts: Sequence[Box] = WHOLE
        else:
            parts = self._parts(at_s, moving, seen, bodies(known, frame.size_px))
        if parts:
            self._novelty.searched(seen, parts)
        if sum(w * h for _, _, w, h in parts) > MOST_SHARE:
            return self._wholly(frame)
        if not parts and not known:
            self.counts["none"] += 1
            return []
        self.counts["part" if parts else "near"] += 1
        luma = self._detector.reduce(frame)
        faces = [face for part in parts for face in self._detector.search_in(luma, part)]
        return without_overlaps(faces + self._near(luma, known, reach, at_s))

    def _wholly(self, frame: Frame) -> list[Face]:
        self._full_s = self._part_s = self._bodies_s = frame.captured_at_s
        self.counts["full"] += 1
        return self._detector.search(self._detector.reduce(frame))

    def _is_full_due(self, at_s: float, known: Sequence[Box]) -> bool:
        still_s = at_s - self._moved_s
        every_s = self._settings.full_every_s
        if not known and still_s > 0.0:
            every_s = min(self._settings.rest_every_s, max(STILL_S, still_s / 2.0))
        return at_s - self._full_s >= every_s

    def _parts(self, at_s: float, moving: Mask, seen: Pixels, known: Sequence[Box]) -> list[Box]:
        """What to search now of what moves; `known`: the bodies of the known, as fractions."""
        if at_s - self._part_s < (BESIDE_EVERY_S if known else SEARCH_EVERY_S):
            return []
        if not moving.any():
            return []
        moving &= self._novelty.look(seen)
        everywhere = at_s - self._bodies_s >= BODIES_EVERY_S
        parts = regions(moving if everywhere else without(moving, known))
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
