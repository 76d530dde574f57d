"""Where in a frame faces are searched for: everywhere, near the known ones, or nowhere.

A search of the whole picture costs ten times one around a face, and a hundred times a look
at whether anything moved. So the whole picture is searched when somebody may have come:
when something moves where nobody is known, when a known face was not found where it should
be, and now and then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from edge.camera import Frame
from edge.config import DetectorSettings
from edge.detector import Face, FaceDetector, without_overlaps
from edge.framing import Box
from edge.gate import MotionGate

Kind = Literal["full", "near", "none"]
KINDS: tuple[Kind, ...] = ("full", "near", "none")
#: While somebody may have come, the whole picture is searched so often: every other frame
#: at ten a second. The cascade misses faces in single frames anyway.
SEARCH_EVERY_S = 0.15
#: … and so often while somebody is known: arms and passers-by move, too.
BESIDE_EVERY_S = 0.3
#: Somebody who moved this short a while ago may still be there, facing the camera only now.
LINGER_S = 2.0
#: What moves with a face: its body. Shares of the face's width beside it and of its height
#: above; below, down to the floor.
BESIDE, ABOVE = 1.0, 0.75


class FaceSearch:
    """Spends the detector's time; to be shown every frame."""

    def __init__(self, detector: FaceDetector, settings: DetectorSettings) -> None:
        """Nothing searched yet: the first frame is, wholly."""
        self._gate = MotionGate()
        self._full_s = self._moved_s = float("-inf")
        self._missed = False
        #: How many frames were searched wholly, near the known faces, not at all.
        self.counts: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        self.change(detector, settings)

    def change(self, detector: FaceDetector, settings: DetectorSettings) -> None:
        """Go on with another detector or other settings."""
        self._detector = detector
        self._settings = settings

    def find(self, frame: Frame, known: Sequence[Box]) -> list[Face]:
        """Faces in `frame`, surest first; `known`: where people's faces should be, pixels."""
        luma = self._detector.reduce(frame)
        at_s = frame.captured_at_s
        if self._settings.full_every_s == 0.0:
            return self._counted("full", self._detector.search(luma))
        if self._gate.look(luma.pixels, at_s):
            self._moved_s = at_s
        if self._is_full_due(frame, known):
            self._full_s, self._missed = at_s, False
            return self._counted("full", self._detector.search(luma))
        if not known:
            return self._counted("none", [])
        near = [self._detector.search_near(luma, box) for box in known]
        self._missed = not all(near)
        return self._counted("near", without_overlaps([face for faces in near for face in faces]))

    def _is_full_due(self, frame: Frame, known: Sequence[Box]) -> bool:
        since_s = frame.captured_at_s - self._full_s
        if known:
            return since_s >= self._settings.full_every_s or self._is_due_beside(
                since_s, frame, known
            )
        lately = frame.captured_at_s - self._moved_s <= LINGER_S
        return since_s >= (SEARCH_EVERY_S if lately else self._settings.rest_every_s)

    def _is_due_beside(self, since_s: float, frame: Frame, known: Sequence[Box]) -> bool:
        """Whether somebody who is known may have moved on, or somebody come in."""
        if self._missed:
            return since_s >= SEARCH_EVERY_S
        return since_s >= BESIDE_EVERY_S and self._gate.moved_outside(bodies(known, frame.size_px))

    def _counted(self, kind: Kind, faces: list[Face]) -> list[Face]:
        self.counts[kind] += 1
        return faces


def bodies(faces: Sequence[Box], size_px: tuple[int, int]) -> list[Box]:
    """Where the people of `faces` (pixels) move, as fractions of a frame of `size_px`
    (height, width)."""
    height, width = size_px
    found = []
    for x, y, w, h in faces:
        left, top = (x - BESIDE * w) / width, (y - ABOVE * h) / height
        found.append((left, top, (1.0 + 2.0 * BESIDE) * w / width, 1.0 - top))
    return found
