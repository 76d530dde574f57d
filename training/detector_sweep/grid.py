"""The settings of the Haar detector, and the grid of settings that is searched."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2

from edge.common.errors import UsageError
from edge.config.settings import DetectorSettings, Settings, change
from edge.detection.haar_detector import HaarDetector, default_cascade

FRONTAL = "haarcascade_frontalface_{}.xml"
#: OpenCV's frontal cascades except `alt_tree`, which finds few faces; it can be requested.
CASCADES = ("default", "alt", "alt2")
SCALES = (1.05, 1.1, 1.2, 1.3)
NEIGHBORS = (2, 3, 4, 5, 6, 8)
WIDTHS_PX = (240, 320, 480)
MIN_FACES = (0.05, 0.07, 0.1)


@dataclass(frozen=True, order=True)
class Search:
    """The settings that determine which windows of a picture are examined, and thus the search
    time.
    """

    cascade: str
    scale_factor: float
    width_px: int
    min_face: float


@dataclass(frozen=True, order=True)
class Configuration:
    """A search, and the minimum number of neighbouring hits that make a face.

    `cascade` is the short name of one of OpenCV's frontal cascades, or the path of a file.
    """

    search: Search
    min_neighbors: int

    @property
    def name(self) -> str:
        """A short name: cascade, scale factor / neighbours, picture width, narrowest face."""
        s = self.search
        return (
            f"{s.cascade} {s.scale_factor:g}/{self.min_neighbors}, {s.width_px} px,"
            f" from {s.min_face:.0%}"
        )

    def settings(self) -> DetectorSettings:
        """Return the daemon's settings; raises UsageError for a value that the daemon
        would reject.
        """
        s = self.search
        values = {
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


def shipped() -> Configuration:
    """Return the daemon's default configuration."""
    defaults = DetectorSettings()
    cascade = defaults.cascade or default_cascade().name
    start, end = FRONTAL.split("{}")
    return Configuration(
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
) -> list[Configuration]:
    """Return every combination of the settings, and the shipped configuration.

    Values of the narrowest face below the cascade's minimum all have the same effect, so only the
    largest of them is included. Raises UserError for an invalid combination.
    """
    searches = {shipped().search}
    for cascade in cascades:
        window_px = _min_window_px(cascade)
        for width_px in widths_px:
            known = [m for m in min_faces if round(m * width_px) > window_px]
            below = [m for m in min_faces if round(m * width_px) <= window_px]
            for min_face in [*known, *([max(below)] if below else [])]:
                searches |= {Search(cascade, scale, width_px, min_face) for scale in scales}
    counts = sorted({*neighbors, shipped().min_neighbors})
    configurations = [
        Configuration(search, count) for search in sorted(searches) for count in counts
    ]
    for each in configurations:
        each.settings()
    return configurations


def reference_configuration(tried: Sequence[Configuration]) -> Configuration:
    """Return the reference: the finest of all searches in `tried`, with the shipped cascade.

    Halving the step between two scales doubles the hits at each place, true or false, so the number
    of neighbours grows as the step shrinks: with three neighbours and steps of 1.05, a false box on
    a hand raised an alert.
    """
    searches = [each.search for each in tried]
    defaults = shipped()
    finest = min(s.scale_factor for s in searches)
    finer = math.log(defaults.search.scale_factor) / math.log(finest)
    return Configuration(
        Search(
            defaults.search.cascade,
            finest,
            max(s.width_px for s in searches),
            min(s.min_face for s in searches),
        ),
        max(1, round(defaults.min_neighbors * finer)),
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
