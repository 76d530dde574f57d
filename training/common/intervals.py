"""95% intervals of metrics by the bootstrap over pictures.

The faces of one photograph share its light and its people, so they are not independent. Therefore
whole pictures are drawn with replacement, each with all its faces, and the metric is computed on
each draw; the interval is the middle 95% of these values (the percentile method: Efron and
Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.common.metrics import Ints

RESAMPLES, SEED, COVERAGE = 2000, 1, 0.95
MAX_CELLS = 4_000_000  # Maximum number of cells in a table of weights, which then takes 16 MB.

#: (draws, faces) float32: how often each face occurs in each draw.
Weights = npt.NDArray[np.float32]
#: A metric's value in each draw; NaN where the metric is undefined.
Values = npt.NDArray[np.float64]
#: A function that computes metrics, by name, from weights.
Statistic = Callable[[Weights], Mapping[str, Values]]


@dataclass(frozen=True)
class Estimate:
    """A metric over `count` faces, with the ends of its 95% interval."""

    value: float
    low: float
    high: float
    count: int


def share_estimates(
    parts: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]], pictures: Ints
) -> dict[str, Estimate | None]:
    """Estimate the share numerator / denominator for each of `parts`, with its interval.

    Numerator and denominator are (n,), with one number for each face; `pictures` (n,) holds a
    number for each face that is the same for faces of one picture. A part is None where its
    denominator is 0 for all faces.

    A share of exactly 0 or 1 has the same value in every draw, so the bootstrap gives no interval.
    One end of the interval is then the share itself, and the other is the exact bound for as many
    independent pictures (Clopper and Pearson, 1934).
    """
    if not parts:
        return {}
    numerators, denominators = (
        np.column_stack([pair[side] for pair in parts.values()]) for side in (0, 1)
    )
    estimates = bootstrap_estimates(
        lambda weights: _ratios(weights, numerators, denominators, list(parts)), pictures
    )
    for column, name in enumerate(parts):
        each, counted = estimates[name], denominators[:, column] > 0
        if each is not None:
            independent = len(np.unique(pictures[counted]))
            estimates[name] = _with_exact_bounds(each, independent, int(counted.sum()))
    return estimates


def _ratios(
    weights: Weights, numerators: npt.ArrayLike, denominators: npt.ArrayLike, names: list[str]
) -> dict[str, Values]:
    numerator = np.asarray(weights @ np.asarray(numerators, np.float32), np.float64)
    denominator = np.asarray(weights @ np.asarray(denominators, np.float32), np.float64)
    return {name: ratio(numerator[:, i], denominator[:, i]) for i, name in enumerate(names)}


def ratio(numerators: Values, denominators: Values) -> Values:
    """Return `numerators` / `denominators`, with NaN where the denominator is 0."""
    ratios = np.full(numerators.shape, np.nan)
    return np.asarray(
        np.divide(numerators, denominators, out=ratios, where=denominators > 0), np.float64
    )


def _with_exact_bounds(each: Estimate, independent: int, count: int) -> Estimate:
    bound = ((1 - COVERAGE) / 2) ** (1 / independent)
    low = bound if each.value >= 1 else each.low
    high = 1 - bound if each.value <= 0 else each.high
    return Estimate(each.value, low, high, count)


def bootstrap_estimates(
    statistic: Statistic, pictures: Ints, resamples: int = RESAMPLES, seed: int = SEED
) -> dict[str, Estimate | None]:
    """Compute `statistic` on all faces, with intervals from bootstrap draws.

    `pictures` (n,) holds a number for each face that is the same for faces of one picture. A metric
    that is undefined when computed on all faces is None; draws in which a metric is undefined do
    not count for its interval.
    """
    values = statistic(np.ones((1, len(pictures)), np.float32))
    drawn = [statistic(weights) for weights in bootstrap_weights(pictures, resamples, seed)]
    estimates: dict[str, Estimate | None] = {}
    for name, value in values.items():
        column = np.concatenate([each[name] for each in drawn])
        low, high = percentile_interval(column)
        missing = bool(np.isnan(value[0]))
        estimates[name] = None if missing else Estimate(float(value[0]), low, high, len(pictures))
    return estimates


def percentile_interval(column: Values) -> tuple[float, float]:
    """Return the ends of the middle 95% of `column` without its NaNs, or two NaNs if it has only
    NaNs.
    """
    defined = column[~np.isnan(column)]
    if not len(defined):
        return float("nan"), float("nan")
    tail = 50 * (1 - COVERAGE)
    low, high = np.percentile(defined, [tail, 100 - tail])
    return float(low), float(high)


def bootstrap_weights(
    pictures: Ints, resamples: int = RESAMPLES, seed: int = SEED
) -> Iterator[Weights]:
    """Yield the weights of the faces, several draws at a time, `resamples` draws in total.

    The same seed gives the same weights.
    """
    rng = np.random.default_rng(seed)
    _, index = np.unique(pictures, return_inverse=True)
    count = int(np.max(index)) + 1
    rows = max(1, MAX_CELLS // count)
    for start in range(0, resamples, rows):
        now = min(rows, resamples - start)
        chosen = rng.integers(count, size=(now, count)) + count * np.arange(now)[:, np.newaxis]
        times = np.bincount(chosen.ravel(), minlength=now * count).reshape(now, count)
        yield np.asarray(times[:, index], np.float32)
