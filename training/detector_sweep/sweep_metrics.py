"""Faces found, false boxes and cost of each configuration, with intervals, and the Pareto front."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge.classification.model_card import ALERT_LABEL
from training.common.intervals import (
    COVERAGE,
    Estimate,
    Values,
    Weights,
    bootstrap_estimates,
    ratio,
    share_estimates,
)
from training.detector_sweep.grid import Configuration, shipped
from training.detector_sweep.scenes import SearchResults

#: Bands of faces by the share of the picture's width that they take. Faces in a wide hall are in
#: the lower bands, and faces at a narrow door are in the upper bands.
SIZE_BANDS = {
    "under 7%": (0.0, 0.07),
    "7 to 10%": (0.07, 0.1),
    "10 to 15%": (0.1, 0.15),
    "15 to 25%": (0.15, 0.25),
    "25% on": (0.25, math.inf),
}
#: Times that differ by less than this factor count as equal, because two runs on one machine differ
#: as much.
TIME_STEP = 1.1
#: At most one contender is chosen from the Pareto front for each range of time; the limits of a
#: range differ by this factor.
CONTENDER_TIME_STEP = 1.25
#: A contender has at most this many times the false boxes of the shipped configuration, because
#: each box costs a classification.
MAX_CONTENDER_FALSE = 2.0
LABELS = ("no_mask", "mask", "incorrect_mask")


@dataclass(frozen=True)
class ConfigurationMetrics:
    """The metrics of one configuration.

    `found`: by label, the share of faces found, 0 to 1. `gain`: the share of bare faces found minus
    that of the shipped configuration, estimated on the same bootstrap draws. `false_boxes`: per 100
    pictures. `time`: CPU time relative to the shipped configuration in the same run. `cpu_ms`: CPU
    time for a picture on this machine. `by_size`: number of bare faces found and in total, by band.
    """

    configuration: Configuration
    found: Mapping[str, Estimate | None]
    gain: Estimate | None
    false_boxes: Estimate
    time: Estimate
    cpu_ms: float
    by_size: Mapping[str, tuple[int, int]]

    @property
    def bare(self) -> float:
        """The share of bare faces found, or 0 if there are no bare faces."""
        each = self.found[ALERT_LABEL]
        return each.value if each is not None else 0.0


def configuration_metrics(searched: SearchResults) -> list[ConfigurationMetrics]:
    """Return the metrics of every configuration, one of which must be the shipped one."""
    found = _found(searched)
    gains = _gains(searched)
    costs = _costs(searched)
    metrics = []
    for index, configuration in enumerate(searched.configurations):
        false_boxes, spent = costs[f"false {index}"], costs[f"time {index}"]
        assert false_boxes is not None
        assert spent is not None
        if false_boxes.value == 0:
            # Without false boxes every draw gives 0, so the upper end is the exact bound.
            most = 100 * (1 - ((1 - COVERAGE) / 2) ** (1 / searched.pictures))
            false_boxes = dataclasses.replace(false_boxes, high=most)
        metrics.append(
            ConfigurationMetrics(
                configuration,
                {label: found[f"{label} {index}"] for label in LABELS},
                gains.get(f"{index}"),
                false_boxes,
                spent,
                1000 * float(searched.cpu_s[index].mean()),
                _by_size(searched, index),
            )
        )
    return metrics


def pareto_front(tried: Sequence[ConfigurationMetrics]) -> list[ConfigurationMetrics]:
    """Return the configurations that no other configuration dominates, fastest first.

    A configuration dominates another if it is at least as good in bare faces found, false boxes and
    time, and better in one of them.
    """
    costs = [_objectives(each) for each in tried]
    front = [
        each
        for each, cost in zip(tried, costs, strict=True)
        if not any(_dominates(other, cost) for other in costs)
    ]
    return sorted(front, key=lambda each: (each.time.value, each.configuration.name))


def contenders(
    front: Sequence[ConfigurationMetrics], tried: Sequence[ConfigurationMetrics]
) -> list[ConfigurationMetrics]:
    """Return the configurations of the front that are worth a closer look, and the shipped one.

    Each range of time has at most one contender: the configuration that finds the most bare faces,
    among those that do not have far more false boxes than the shipped configuration. The result is
    sorted by time, fastest first.
    """
    reference = next(each for each in tried if each.configuration == shipped())
    chosen: dict[int, ConfigurationMetrics] = {}
    for each in front:
        level = _time_level(each.time.value, CONTENDER_TIME_STEP)
        errs = each.false_boxes.value > MAX_CONTENDER_FALSE * reference.false_boxes.value
        if not errs and (level not in chosen or each.bare > chosen[level].bare):
            chosen[level] = each
    several = [*(each for each in chosen.values() if each != reference), reference]
    return sorted(several, key=lambda each: (each.time.value, each.configuration.name))


def _objectives(each: ConfigurationMetrics) -> tuple[float, float, float]:
    return -each.bare, each.false_boxes.value, _time_level(each.time.value, TIME_STEP)


def _time_level(time: float, step: float) -> int:
    return round(math.log(max(time, 1e-9)) / math.log(step))


def _dominates(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    return first != second and all(a <= b for a, b in zip(first, second, strict=True))


def _by_size(searched: SearchResults, index: int) -> dict[str, tuple[int, int]]:
    bare = searched.label == ALERT_LABEL
    sizes = {}
    for name, (low, high) in SIZE_BANDS.items():
        in_band = bare & (searched.share >= low) & (searched.share < high)
        sizes[name] = int(searched.found[index, in_band].sum()), int(in_band.sum())
    return sizes


def _found(searched: SearchResults) -> dict[str, Estimate | None]:
    parts = {}
    for index, row in enumerate(searched.found):
        for label in LABELS:
            of_label = searched.label == label
            parts[f"{label} {index}"] = (row & of_label, of_label)
    return share_estimates(parts, searched.scene)


def _gains(searched: SearchResults) -> dict[str, Estimate | None]:
    bare = searched.label == ALERT_LABEL
    if not bare.any():
        return {}
    reference = searched.found[_reference(searched)]
    more = (searched.found[:, bare].astype(np.float32) - reference[bare]).T

    def statistic(weights: Weights) -> Mapping[str, Values]:
        under = np.asarray(weights.sum(axis=1), np.float64)
        over = np.asarray(weights @ more, np.float64)
        return {f"{i}": ratio(over[:, i], under) for i in range(over.shape[1])}

    return bootstrap_estimates(statistic, searched.scene[bare])


def _costs(searched: SearchResults) -> dict[str, Estimate | None]:
    reference = _reference(searched)
    false_boxes = searched.false_boxes.T.astype(np.float32)
    cpu_s = searched.cpu_s.T.astype(np.float32)

    def statistic(weights: Weights) -> Mapping[str, Values]:
        pictures = np.asarray(weights.sum(axis=1), np.float64)
        errs = 100 * np.asarray(weights @ false_boxes, np.float64)
        spent = np.asarray(weights @ cpu_s, np.float64)
        columns = {f"false {i}": errs[:, i] / pictures for i in range(errs.shape[1])}
        for i in range(spent.shape[1]):
            columns[f"time {i}"] = ratio(spent[:, i], spent[:, reference])
        return columns

    return bootstrap_estimates(statistic, np.arange(searched.pictures))


def _reference(searched: SearchResults) -> int:
    return searched.configurations.index(shipped())
