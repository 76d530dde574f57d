"""Plots of accuracy, alerts and calibration error on slices, as points with their intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge.classification.model_card import ALERT_LABEL
from training.common.intervals import Estimate
from training.common.plotting import OTHER_COLOURS, plot
from training.evaluation.evaluation_metrics import Evaluation
from training.evaluation.slices import Slice

#: Slices with fewer faces are not drawn, because their intervals are too wide to be useful.
MIN_SAMPLES = 10
SLICE_METRICS: dict[str, Callable[[Slice], Estimate | None]] = {
    "Accuracy": lambda each: each.accuracy,
    "Bare faces flagged": lambda each: each.flagged.get(ALERT_LABEL),
    "Masked faces flagged": lambda each: each.flagged.get("mask"),
    "Calibration error (ECE)": lambda each: each.ece,
}
#: Groupings of slices, and the names that the plots show.
GROUPINGS = {
    "width": "width",
    "brightness": "brightness",
    "skin": "skin tone",
    "colour": "colour",
    "framing": "framing",
}
#: Slices by name, for each data set, in the order of their names.
SlicesByDataSet = Mapping[str, Mapping[str, Slice]]


def write_slice_plots(folder: Path, evaluations: Sequence[Evaluation]) -> dict[str, str]:
    """Write PNG files to `folder` and return their names with what each shows."""
    groupings = {
        "data set": {each.data: {each.data: _whole_as_slice(each)} for each in evaluations},
        **{title: _slices_by_data_set(evaluations, name) for name, title in GROUPINGS.items()},
    }
    if len(evaluations) == 1:
        del groupings["data set"]
    written = {}
    for grouping, by_name in groupings.items():
        file = f"by-{grouping.replace(' ', '-')}.png"
        if any(by_name.values()) and _write_row(folder / file, grouping, by_name):
            written[file] = f"Accuracy, alerts and calibration error by {grouping}"
    kinds = {each.data: each.slices["kind"] for each in evaluations if "kind" in each.slices}
    if kinds:
        _write_kinds(folder / "kinds.png", kinds)
        written["kinds.png"] = "Accuracy and alerts by how MaskedFace-Net's masks are worn"
    return written


def errors_percent(estimates: Sequence[Estimate]) -> Any:
    """Return the lengths of the error bars below and above, (2, n), in per cent."""
    below = [max(0.0, each.value - each.low) for each in estimates]
    above = [max(0.0, each.high - each.value) for each in estimates]
    return 100 * np.array([below, above])


def _whole_as_slice(each: Evaluation) -> Slice:
    flagged = {} if each.alerts is None else each.alerts.flagged
    return Slice(each.data, each.accuracy, flagged, each.answer_reliability.ece)


def _slices_by_data_set(evaluations: Sequence[Evaluation], grouping: str) -> SlicesByDataSet:
    return {
        each.data: {part.name: part for part in each.slices.get(grouping, [])}
        for each in evaluations
    }


def _write_row(path: Path, grouping: str, by_data: SlicesByDataSet) -> bool:
    """Draw a plot of each metric, and return whether there was anything to draw."""
    slices = [part for named in by_data.values() for part in named.values()]
    metrics = {
        title: metric
        for title, metric in SLICE_METRICS.items()
        if any((each := metric(part)) is not None and each.count >= MIN_SAMPLES for part in slices)
    }
    if not metrics:
        return False
    with plot(path, max(5.5, 4.6 * len(metrics)), 4.0, 1, len(metrics)) as all_axes:
        every = list(np.ravel(all_axes))
        for axes, (title, metric) in zip(every, metrics.items(), strict=True):
            low, high = _draw_points(axes, by_data, metric)
            axes.set(title=title, ylim=_axis_limits(low, high))
        every[0].set_ylabel("%")
        every[0].figure.suptitle(f"By {grouping}", fontsize=15, fontweight="bold")
        several = [axes for axes in every if len(axes.get_legend_handles_labels()[1]) > 1]
        if several:
            several[0].figure.legend(
                *several[0].get_legend_handles_labels(), loc="outside lower center", ncols=5
            )
    return True


def _axis_limits(low: float, high: float) -> tuple[float, float]:
    """Return the limits of the y axis, in per cent, for intervals between `low` and `high`.

    Shares that are mostly high are shown up to 100%, and those that are mostly low from 0% on.
    """
    if low + high >= 100:
        return max(0.0, 10.0 * math.floor(low / 10)), 101.0
    return 0.0, min(101.0, max(5.0, 5.0 * math.ceil(high / 5)))


def _draw_points(
    axes: Any, by_data: SlicesByDataSet, metric: Callable[[Slice], Estimate | None]
) -> tuple[float, float]:
    """Draw a series for each data set; return the ends of all intervals, in per cent."""
    names = list(dict.fromkeys(name for by_name in by_data.values() for name in by_name))
    one_each = all(len(by_name) == 1 for by_name in by_data.values())
    ends: list[float] = []
    for index, (data, by_name) in enumerate(by_data.items()):
        aside = 0.0 if one_each else 0.16 * (index - (len(by_data) - 1) / 2)
        drawn = [
            (names.index(name) + aside, each)
            for name, part in by_name.items()
            if (each := metric(part)) is not None and each.count >= MIN_SAMPLES
        ]
        if drawn:
            estimates = [each for _, each in drawn]
            axes.errorbar(
                [x for x, _ in drawn],
                [100 * each.value for each in estimates],
                yerr=errors_percent(estimates),
                fmt="o",
                color=OTHER_COLOURS[index % len(OTHER_COLOURS)],
                capsize=3,
                label=data,
            )
            ends += [100 * end for each in estimates for end in (each.low, each.high)]
    turned = {"rotation": 20, "ha": "right"} if len(names) > 3 else {}
    axes.set_xticks(range(len(names)), [_two_lines(name) for name in names], fontsize=9, **turned)
    axes.set_xlim(-0.6, len(names) - 0.4)
    return min(ends, default=0.0), max(ends, default=100.0)


def _two_lines(name: str) -> str:
    """Break a name that has two parts into two lines, so that neighbouring names have room."""
    for mark in (" (", " to ", " px and "):
        before, found, after = name.partition(mark)
        if found == " (":
            return f"{before}\n({after}"
        if found:
            return f"{before}{found.rstrip()}\n{after}"
    return name


def _write_kinds(path: Path, kinds: Mapping[str, Sequence[Slice]]) -> None:
    with plot(path, 11.0, 0.8 + 2.6 * len(kinds), len(kinds), 2) as axes:
        for row, (data, parts) in zip(
            np.reshape(axes, (len(kinds), 2)), kinds.items(), strict=True
        ):
            flagged = [next(iter(part.flagged.values()), None) for part in parts]
            right = [part.accuracy for part in parts]
            _draw_bars(row[0], f"{data}: labelled correctly", parts, right, "not a model label")
            _draw_bars(row[1], f"{data}: flagged as bare", parts, flagged, "no alert threshold")


def _draw_bars(
    axes: Any,
    title: str,
    parts: Sequence[Slice],
    estimates: Sequence[Estimate | None],
    text_if_missing: str,
) -> None:
    drawable = [(place, each) for place, each in enumerate(estimates) if each is not None]
    axes.set(title=title, xlabel="%", xlim=(0, 102), ylim=(len(parts) - 0.5, -0.5))
    axes.grid(axis="y", visible=False)
    counts = {place: f" ({each.count})" for place, each in drawable}
    names = [f"{part.name}{counts.get(place, '')}" for place, part in enumerate(parts)]
    axes.set_yticks(range(len(parts)), names)
    if drawable:
        present = [each for _, each in drawable]
        values = [100 * each.value for each in present]
        errors = errors_percent(present)
        places = [place for place, _ in drawable]
        axes.barh(places, values, xerr=errors, color=OTHER_COLOURS[2], capsize=3)
    for place in set(range(len(parts))) - set(counts):
        axes.text(1, place, text_if_missing, va="center", color="#777777", fontsize=9)
