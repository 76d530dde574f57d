"""Matches the alerts of two pipelines on the same footage; computes how their starts differ."""

from __future__ import annotations

from collections.abc import Sequence

from edge.events.alert_machine import Event


def episodes(events: Sequence[Event]) -> list[tuple[float, float]]:
    """Return the start and the end of each alert, in seconds."""
    ends = {e.episode: e.at_s for e in events if e.event_type == "no_mask_end"}
    starts = [e for e in events if e.event_type == "no_mask_start"]
    return [(each.at_s, ends[each.episode]) for each in starts]


def agreement(
    own: Sequence[tuple[float, float]], others: Sequence[tuple[float, float]]
) -> tuple[float, ...]:
    """Return how much later each alert of `own` began than its counterpart in `others`, in seconds.

    Two alerts are counterparts when they overlap in time; of several candidates, those that
    began closest to each other are matched first. Alerts without a counterpart are left out.
    """
    pairs = sorted(
        (abs(a[0] - b[0]), i, j)
        for i, a in enumerate(own)
        for j, b in enumerate(others)
        if a[0] <= b[1] and b[0] <= a[1]
    )
    joined: dict[int, int] = {}
    for _, i, j in pairs:
        if i not in joined and j not in joined.values():
            joined[i] = j
    return tuple(own[i][0] - others[j][0] for i, j in sorted(joined.items()))
