"""Decides which faces to classify: those whose classification can still change a decision."""

from __future__ import annotations

from collections.abc import Sequence

from edge.tracking.track import Track

#: A person whose evidence is unanimous is classified again after this time, which is short enough
#: to notice within `events.masked_after_s` that a mask was put on or taken off.
RECLASSIFY_AFTER_S = 0.3
#: Scores between these shares of the alert threshold may still change a decision.
DOUBTFUL_SHARES = 0.6, 1.0


def needs_classification(
    track: Track | None, at_s: float, alert_on: Sequence[str], threshold: float, min_weight: float
) -> bool:
    """Whether a reading of the face of `track` at `at_s` can change a decision.

    `track` is None for a face that has no track yet. `alert_on` are the labels that raise an
    alert, `threshold` is the score at which they do, and `min_weight` is the total weight of
    evidence that a decision needs.
    """
    if track is None or not track.has_weight(min_weight):
        return True
    if at_s - track.last_evidence_s >= RECLASSIFY_AFTER_S:
        return True
    low, high = (share * threshold for share in DOUBTFUL_SHARES)
    scores = [reading.score(alert_on) for reading in track.evidence]
    return not (min(scores) >= high or max(scores) < low)
