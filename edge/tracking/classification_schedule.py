"""Which faces are worth a look by the classifier: those where it can still change a decision."""

from __future__ import annotations

from collections.abc import Sequence

from edge.tracking.track import Track

#: A person of whom all evidence says the same is looked at again after this: often enough to
#: see a mask go on or off well within `events.masked_after_s`.
AGAIN_S = 0.3
#: Evidence this close to the threshold, as shares of it, may tip a decision.
DOUBTFUL = 0.6, 1.0


def needs_classification(
    track: Track | None, at_s: float, alert_on: Sequence[str], threshold: float, enough: float
) -> bool:
    """Whether a reading at `at_s` of the face of `track` (None: somebody new) may matter.

    `alert_on` and `threshold`: what alerts; `enough`: what the evidence must weigh.
    """
    if track is None or not track.has_weight(enough):
        return True
    if at_s - track.last_evidence_s >= AGAIN_S:
        return True
    low, high = (share * threshold for share in DOUBTFUL)
    scores = [reading.score(alert_on) for reading in track.evidence]
    return not (min(scores) >= high or max(scores) < low)
