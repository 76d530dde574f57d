"""What a face detector returns, and the interfaces of its parts.

A detector has a finder, which searches a whole image, and may have a follower, which only searches
the surroundings of a known face. The Haar cascade can do both, and can also search a region in less
time than the whole image; the network of `edge.detection.learned_detector` takes the same time for
every search.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edge.camera.source import Frame
from edge.common.arrays import Box, Pixels
from edge.detection.luma import Luma


@dataclass(frozen=True)
class Face:
    """A box in a frame that contains a face: x, y, width, height in pixels of the full frame.

    `support` is the number of raw detections of the cascade that were merged into the box; the
    higher this number, the more likely the box contains a face. Other detectors map their score to
    the number that is as reliable.
    """

    box_px: Box
    support: float


class Finder(Protocol):
    """Finds all faces of an image."""

    @property
    def name(self) -> str:
        """What finds the faces, for people."""

    def find(self, image_bgr: Pixels) -> list[Face]:
        """Return all faces in a (height, width, 3) uint8 image, those with the highest support
        first."""

    def to_luma(self, frame: Frame) -> Luma:
        """Return the image in which the faces of `frame` are searched."""

    def search(self, luma: Luma) -> list[Face]:
        """Return all faces, each once, those with the highest support first."""


class RegionFinder(Protocol):
    """Finds the faces in a part of an image, in less time than in the whole image."""

    def search_region(self, luma: Luma, region: Box) -> list[Face]:
        """Return all faces within `region`: x, y, width, height as fractions of the frame."""


class Follower(Protocol):
    """Finds a known face again."""

    @property
    def name(self) -> str:
        """What follows the faces, for people."""

    def search_near(self, luma: Luma, box_px: Box, reach: float) -> list[Face]:
        """Return the faces about as large as the predicted `box_px`, in pixels of the frame, and
        at most `reach` times its width away from it."""


class CompleteDetector(Finder, RegionFinder, Follower, Protocol):
    """A detector that can search in all ways, such as the Haar cascade."""


@dataclass(frozen=True)
class FaceDetector:
    """The parts of a detector, which all take the image of `finder.to_luma`.

    Without `regions`, a search of changed regions is a search of the whole image. Without
    `follower`, known faces are found by a search of the whole image, too.
    """

    finder: Finder
    regions: RegionFinder | None = None
    follower: Follower | None = None

    @classmethod
    def of(cls, detector: CompleteDetector) -> FaceDetector:
        """Return a detector all of whose parts are `detector`."""
        return cls(finder=detector, regions=detector, follower=detector)

    @property
    def name(self) -> str:
        """The names of the parts, for people: "face-320x240 in ai-edge-litert, followed by …"."""
        if self.follower is None or self.follower.name == self.finder.name:
            return self.finder.name
        return f"{self.finder.name}, followed by {self.follower.name}"


def without_overlaps(faces: list[Face]) -> list[Face]:
    """Return `faces` without those that overlap a face with higher support.

    Two faces overlap if the centre of one lies in the box of the other. The cascade groups its
    raw detections by size, so that it can return one face twice: once with its own size, and once
    as a larger or smaller box around its centre.
    """
    kept: list[Face] = []
    for face in sorted(faces, key=lambda f: (-f.support, f.box_px)):
        if not any(
            _contains_centre(k.box_px, face.box_px) or _contains_centre(face.box_px, k.box_px)
            for k in kept
        ):
            kept.append(face)
    return kept


def _contains_centre(outer: Box, inner: Box) -> bool:
    cx, cy = inner[0] + inner[2] / 2.0, inner[1] + inner[3] / 2.0
    return outer[0] <= cx <= outer[0] + outer[2] and outer[1] <= cy <= outer[1] + outer[3]
