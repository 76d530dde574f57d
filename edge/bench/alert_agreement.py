"""Whether two ways of watching the same footage gave the same alerts, and how much later."""

from __future__ import annotations

from collections.abc import Sequence

from edge.events.alert_machine import Event


def episodes(events: Sequence[Event]) -> list[tuple[float, float]]:
    """Start and end, in seconds, of each alert."""
    ends = {e.episode: e.at_s for e in events if e.event_type == "no_mask_end"}
    starts = [e for e in events if e.event_type == "no_mask_start"]
    return [(each.at_s, ends[each.episode]) for each in starts]


def agreement(
    own: Sequence[tuple[float, float]], others: Sequence[tuple[float, float]]
) -> tuple[float, ...]:
    """How much later each alert of `own` began that one of `others` is too, in seconds.

    Alerts that run at the same time are one, those that began nearest each other first.
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
