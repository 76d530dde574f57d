"""Weighted median of readings, in which better evidence counts for more."""

from __future__ import annotations

from collections.abc import Iterable


def weighted_median(values: Iterable[tuple[float, float]]) -> float:
    """Return the median of (value, weight) pairs whose weights are above 0.

    Half of the total weight lies on each side of the median. If the halves meet exactly between two
    values, the median is their mean; equal weights therefore give the ordinary median. Raises
    ValueError if there is no pair.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no readings to take the median of")
    half = sum(weight for _, weight in ordered) / 2.0
    # Tolerance for the rounding errors in sums of weights.
    tolerance = 1e-9 * half
    reached = 0.0
    for index, (value, weight) in enumerate(ordered[:-1]):
        reached += weight
        if reached > half + tolerance:
            return value
        if reached >= half - tolerance:
            return (value + ordered[index + 1][0]) / 2.0
    return ordered[-1][0]
