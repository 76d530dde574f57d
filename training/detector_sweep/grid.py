"""The settings of the cascade and of the network, and the grid of settings that is searched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2

from edge.common.errors import UsageError
from edge.common.paths import shipped_detector
from edge.config.settings import DetectorSettings, Settings, change
from edge.detection.detector_card import read_detector_card
from edge.detection.face_detector import Face, Finder
from edge.detection.haar_detector import HaarDetector, default_cascade
from edge.detection.load_detector import load_detector

FRONTAL = "haarcascade_frontalface_{}.xml"
#: OpenCV's frontal cascades except `alt_tree`, which finds few faces; it can be requested.
CASCADES = ("default", "alt", "alt2")
SCALES = (1.05, 1.1, 1.2, 1.3)
NEIGHBORS = (2, 3, 4, 5, 6, 8)
WIDTHS_PX = (240, 320, 480)
MIN_FACES = (0.05, 0.07, 0.1)
#: Smallest scores of a face for the network, beside that of its card.
MIN_SCORES = (0.4, 0.5, 0.7, 0.8)


@dataclass(frozen=True, order=True)
class Search:
    """The settings of the cascade that determine which windows of a picture are examined, and thus
    the search time.
    """

    cascade: str
    scale_factor: float
    width_px: int
    min_face: float


@dataclass(frozen=True, order=True)
class NetworkSearch:
    """The settings of the network, of which a search takes the same time whatever it finds."""

    min_score: float
    width_px: int
    min_face: float


class Configuration(Protocol):
    """Settings of one detector. Configurations with the same `search` share their searches."""

    @property
    def search(self) -> Search | NetworkSearch:
        """What is searched."""

    @property
    def name(self) -> str:
        """A short name, different for each configuration."""

    def settings(self) -> DetectorSettings:
        """Return the daemon's settings; raises UsageError for a value that the daemon
        would reject.
        """

    def detector(self) -> Finder:
        """Return the daemon's own detector; raises UserError if it cannot be loaded."""

    def keeps(self, face: Face) -> bool:
        """Whether a face that a search with looser settings has found is found with these."""


@dataclass(frozen=True)
class NetworkConfiguration:
    """A search with the shipped network."""

    search: NetworkSearch

    @property
    def name(self) -> str:
        """A short name: smallest score, picture width, narrowest face."""
        s = self.search
        return f"network {s.min_score:.3g}, {s.width_px} px, from {100 * s.min_face:.3g}%"

    def settings(self) -> DetectorSettings:
        """Return the daemon's settings, as `Configuration.settings`."""
        s = self.search
        values = {
            "kind": "learned",
            "min_score": s.min_score,
            "width_px": s.width_px,
            "min_face": s.min_face,
        }
        return change(Settings(), detector=values).detector

    def detector(self) -> Finder:
        """Return the daemon's own detector."""
        return load_detector(self.settings()).finder

    def keeps(self, face: Face) -> bool:
        """Return True: no other configuration has the same search."""
        return True


@dataclass(frozen=True)
class CascadeConfiguration:
    """A search with a cascade, and the minimum number of neighbouring hits that make a face.

    `search.cascade` is the short name of one of OpenCV's frontal cascades, or the path of a file.
    """

    search: Search
    min_neighbors: int

    @property
    def name(self) -> str:
        """A short name: cascade, scale factor / neighbours, picture width, narrowest face."""
        s = self.search
        return (
            f"{s.cascade} {s.scale_factor:g}/{self.min_neighbors}, {s.width_px} px,"
            f" from {100 * s.min_face:.3g}%"
        )

    def settings(self) -> DetectorSettings:
        """Return the daemon's settings; raises UsageError for a value that the daemon
        would reject.
        """
        s = self.search
        values = {
            "kind": "haar",
            "cascade": str(cascade_file(s.cascade)),
            "scale_factor": s.scale_factor,
            "width_px": s.width_px,
            "min_face": s.min_face,
            "min_neighbors": self.min_neighbors,
        }
        return change(Settings(), detector=values).detector

    def detector(self) -> HaarDetector:
        """Return the daemon's own detector; raises UserError if the cascade cannot be read."""
        return HaarDetector(self.settings())

    def keeps(self, face: Face) -> bool:
        """Return whether the face has enough neighbours: OpenCV keeps groups with more hits than
        its `min_neighbors`.
        """
        return face.support > self.min_neighbors


def shipped() -> NetworkConfiguration:
    """Return the daemon's default configuration, in which the network finds the faces."""
    defaults = DetectorSettings()
    path = shipped_detector()
    card = read_detector_card(path.read_bytes(), path)
    return NetworkConfiguration(
        NetworkSearch(card.threshold.score, defaults.width_px, defaults.min_face)
    )


def shipped_cascade() -> CascadeConfiguration:
    """Return the default configuration with `detector.kind = "haar"`."""
    defaults = DetectorSettings()
    cascade = defaults.cascade or default_cascade().name
    start, end = FRONTAL.split("{}")
    return CascadeConfiguration(
        Search(
            cascade.removeprefix(start).removesuffix(end),
            defaults.scale_factor,
            defaults.width_px,
            defaults.min_face,
        ),
        defaults.min_neighbors,
    )


def grid(
    cascades: Sequence[str],
    scales: Sequence[float],
    widths_px: Sequence[int],
    min_faces: Sequence[float],
    neighbors: Sequence[int],
    min_scores: Sequence[float],
) -> list[Configuration]:
    """Return every combination of the settings, and the shipped configurations of both detectors.

    Values of the narrowest face below the cascade's minimum all have the same effect, so only the
    largest of them is included. Raises UserError for an invalid combination.
    """
    searches = {shipped_cascade().search}
    for cascade in cascades:
        window_px = _min_window_px(cascade)
        for width_px in widths_px:
            known = [m for m in min_faces if round(m * width_px) > window_px]
            below = [m for m in min_faces if round(m * width_px) <= window_px]
            for min_face in [*known, *([max(below)] if below else [])]:
                searches |= {Search(cascade, scale, width_px, min_face) for scale in scales}
    counts = sorted({*neighbors, shipped_cascade().min_neighbors})
    networks = {
        NetworkSearch(score, width_px, min_face)
        for score in min_scores
        for width_px in widths_px
        for min_face in min_faces
    }
    configurations: list[Configuration] = [
        *map(NetworkConfiguration, sorted({shipped().search, *networks})),
        *(CascadeConfiguration(search, count) for search in sorted(searches) for count in counts),
    ]
    for each in configurations:
        each.settings()
    return configurations


def reference_configuration(tried: Sequence[Configuration]) -> NetworkConfiguration:
    """Return the reference: the network with its own smallest score, in the widest picture and with
    the smallest faces of all searches in `tried`.
    """
    searches = [each.search for each in tried]
    return NetworkConfiguration(
        NetworkSearch(
            shipped().search.min_score,
            max(s.width_px for s in searches),
            min(s.min_face for s in searches),
        )
    )


def cascade_file(name: str) -> Path:
    """Return the path of a cascade: one of OpenCV's by its short name, or the file `name`.

    Raises UsageError if it is neither.
    """
    own = Path(cv2.__file__).parent / "data" / FRONTAL.format(name)
    for path in (own, Path(name)):
        if path.is_file():
            return path
    raise UsageError(
        f"no such cascade: {name}; expected {', '.join(CASCADES)} or the path of a file"
    )


def _min_window_px(cascade: str) -> int:
    """Return the narrowest face, in pixels, that the cascade can find."""
    path = cascade_file(cascade)
    # raises UserError, with a message of one line, if the file is not a cascade
    HaarDetector(DetectorSettings(cascade=str(path)))
    return int(cv2.CascadeClassifier(str(path)).getOriginalWindowSize()[0])
