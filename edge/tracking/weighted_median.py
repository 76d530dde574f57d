"""What several readings say together: medians in which better evidence counts for more."""

from __future__ import annotations

from collections.abc import Iterable


def weighted_median(values: Iterable[tuple[float, float]]) -> float:
    """The median of (value, weight) pairs with weights above 0.

    Half of the weight lies on either side; where it splits exactly between two values, their
    mean, so that equal weights give the ordinary median. Raises ValueError without a pair.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no readings, no median")
    half = sum(weight for _, weight in ordered) / 2.0
    # Sums of weights differ from their true value by rounding alone.
    slack = 1e-9 * half
    reached = 0.0
    for index, (value, weight) in enumerate(ordered[:-1]):
        reached += weight
        if reached > half + slack:
            return value
        if reached >= half - slack:
            return (value + ordered[index + 1][0]) / 2.0
    return ordered[-1][0]
