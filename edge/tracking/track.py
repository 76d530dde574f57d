"""Readings of faces in single frames, and the track of one person over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edge.classification.classifier import Scores
from edge.common.arrays import Box
from edge.tracking.weighted_median import weighted_median

#: Tolerance for sums of weights, which are floating-point numbers: four readings of weight 1
#: must count as 4.
WEIGHT_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Reading:
    """One face of one frame, with its classification if the model was run on it.

    `box_px` is x, y, width, height in pixels of the frame; `at_s` is the time of the frame.
    `scores` is None if the face was not classified: the reading then gives the position of the
    person and is no evidence for a label. `weight`, 0 to 1, is the quality of the evidence
    (`edge.tracking.face_quality`); a reading of weight 0 is no evidence for a label either.
    `appearance` is a coarse grey picture of a classified face.
    """

    box_px: Box
    scores: Scores | None
    at_s: float
    weight: float = 1.0
    appearance: bytes = b""

    def score(self, labels: Sequence[str]) -> float:
        """Return the sum of the scores of `labels`; a label that the model lacks scores 0.

        Raises ValueError if the face was not classified.
        """
        if self.scores is None:
            raise ValueError("this face was not classified")
        return self.scores.total(labels)


@dataclass(frozen=True)
class Track:
    """One person as of the newest frame.

    `evidence` holds the readings of the smoothing window that have a weight above 0, oldest
    first; `sightings` is the number of all readings since the first; `classified_s` is the time of
    the last classification, whether it became evidence or not, and minus infinity without one.
    Times are on the clock of the frames.
    """

    number: int
    box_px: Box
    first_seen_s: float
    last_seen_s: float
    evidence: tuple[Reading, ...]
    sightings: int
    classified_s: float = -math.inf

    @property
    def readings(self) -> int:
        """The number of readings that the label is based on."""
        return len(self.evidence)

    @property
    def weight(self) -> float:
        """The sum of the weights of the evidence."""
        return sum(reading.weight for reading in self.evidence)

    def has_weight(self, min_weight: float) -> bool:
        """Whether the evidence has a total weight of at least `min_weight`."""
        return self.weight >= min_weight - WEIGHT_TOLERANCE

    @property
    def last_evidence_s(self) -> float:
        """The time of the newest reading in the evidence; minus infinity without evidence."""
        return self.evidence[-1].at_s if self.evidence else -math.inf

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the model that made the newest reading; empty without evidence."""
        scores = self.evidence[-1].scores if self.evidence else None
        return tuple(scores.by_label) if scores else ()

    def score(self, labels: Sequence[str]) -> float:
        """Return the weighted median of the readings' summed scores of `labels`, 0 to 1.

        A label that the model lacks scores 0. Raises ValueError if there is no evidence.
        """
        return weighted_median((reading.score(labels), reading.weight) for reading in self.evidence)

    def label(self, among: Sequence[str] = ()) -> str:
        """Return the label with the largest median score.

        The labels in `among` are compared, or all labels if it is empty.
        """
        return max(among or self.labels, key=lambda label: self.score((label,)))
