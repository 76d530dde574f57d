"""Decides which faces to classify: those whose classification can still change a decision."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from edge.tracking.track import Track

#: A person about whom nothing is to be decided is classified again after this time, which is short
#: enough to notice within `events.masked_after_s` that a mask was put on or taken off.
RECLASSIFY_AFTER_S = 0.3
#: At most this many such people are classified in one frame, those first whose last classification
#: is the oldest. It bounds what a crowd costs once everybody is decided: at 5 searches a second,
#: each of 5 people is classified once a second, and each of 20 every 4 s. Whoever then gets another
#: score is no longer decided, and is classified in every frame.
MAX_RECLASSIFIED = 1
#: Scores between these shares of the alert threshold may still change a decision.
DOUBTFUL_SHARES = 0.6, 1.0


@dataclass(frozen=True)
class DecisionRule:
    """What a decision depends on.

    `alert_on` are the labels that raise an alert, `threshold` is the score at which they do, and
    `min_weight` is the total weight of evidence that a decision needs.
    """

    alert_on: tuple[str, ...]
    threshold: float
    min_weight: float

    def is_settled(self, track: Track) -> bool:
        """Whether the evidence of `track` has enough weight and is unanimous."""
        if not track.has_weight(self.min_weight):
            return False
        low, high = (share * self.threshold for share in DOUBTFUL_SHARES)
        scores = [reading.score(self.alert_on) for reading in track.evidence]
        return min(scores) >= high or max(scores) < low


def faces_to_classify(
    tracks: Sequence[Track | None], at_s: float, settled: Set[int]
) -> frozenset[int]:
    """Return the indices of the faces to classify at `at_s`.

    `tracks` has the track of each face; None is a face that has no track yet. `settled` are the
    numbers of the tracks about which nothing is to be decided.
    """
    chosen, due = set(), []
    for index, track in enumerate(tracks):
        if track is None or track.number not in settled:
            chosen.add(index)
        elif at_s - track.classified_s >= RECLASSIFY_AFTER_S:
            due.append((track.classified_s, index))
    chosen.update(index for _, index in sorted(due)[:MAX_RECLASSIFIED])
    return frozenset(chosen)
