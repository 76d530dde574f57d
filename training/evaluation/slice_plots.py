"""Plots of accuracy and alerts on slices of the faces, as points with their intervals."""

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
}
#: Slices by name, for each data set, in the order of their names.
SlicesByDataSet = Mapping[str, Mapping[str, Slice]]


def write_slice_plots(folder: Path, evaluations: Sequence[Evaluation]) -> dict[str, str]:
    """Write PNG files to `folder` and return their names with what each shows."""
    groupings = {
        "data set": {each.data: {each.data: _whole_as_slice(each)} for each in evaluations},
        "width": _slices_by_data_set(evaluations, "width"),
        "brightness": _slices_by_data_set(evaluations, "brightness"),
    }
    if len(evaluations) == 1:
        del groupings["data set"]
    drawable = {
        grouping: by_name for grouping, by_name in groupings.items() if any(by_name.values())
    }
    written = {}
    if drawable and _write_grid(folder / "parts.png", drawable):
        written["parts.png"] = "Accuracy and alerts on slices of the faces"
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
    return Slice(each.data, each.accuracy, {} if each.alerts is None else each.alerts.flagged)


def _slices_by_data_set(evaluations: Sequence[Evaluation], grouping: str) -> SlicesByDataSet:
    return {
        each.data: {part.name: part for part in each.slices.get(grouping, [])}
        for each in evaluations
    }


def _write_grid(path: Path, groupings: Mapping[str, SlicesByDataSet]) -> bool:
    """Draw a grid of plots and return whether there was anything to draw."""
    slices = [
        part
        for by_name in groupings.values()
        for named in by_name.values()
        for part in named.values()
    ]
    metrics = {
        title: metric
        for title, metric in SLICE_METRICS.items()
        if any((each := metric(part)) is not None and each.count >= MIN_SAMPLES for part in slices)
    }
    if not metrics:
        return False
    size = max(5.5, 4.6 * len(groupings)), 3.8 * len(metrics)
    with plot(path, *size, len(metrics), len(groupings)) as all_axes:
        grid = np.reshape(all_axes, (len(metrics), len(groupings)))
        for row, (title, metric) in zip(grid, metrics.items(), strict=True):
            lows = [
                _draw_points(axes, by_data, metric)
                for axes, by_data in zip(row, groupings.values(), strict=True)
            ]
            for axes, grouping in zip(row, groupings, strict=True):
                axes.set(title=f"{title} by {grouping}", ylim=(_axis_minimum(lows), 101))
            row[0].set_ylabel("%")
        several = [axes for axes in grid.ravel() if len(axes.get_legend_handles_labels()[1]) > 1]
        if several:
            several[0].figure.legend(
                *several[0].get_legend_handles_labels(), loc="outside lower center", ncols=4
            )
    return True


def _axis_minimum(lows: Sequence[float]) -> float:
    """Return the lower limit of the y axis that all plots of a row share, in per cent.

    The limit is the lowest end of the intervals in the row, rounded down to tens.
    """
    return max(0.0, 10 * math.floor(min(lows, default=0.0) / 10))


def _draw_points(
    axes: Any, by_data: SlicesByDataSet, metric: Callable[[Slice], Estimate | None]
) -> float:
    """Draw a series for each data set; return the lowest end of its intervals, in per cent."""
    names = list(dict.fromkeys(name for by_name in by_data.values() for name in by_name))
    one_each = all(len(by_name) == 1 for by_name in by_data.values())
    lowest = 100.0
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
            lowest = min(lowest, *(100 * each.low for each in estimates))
    turned = {"rotation": 15, "ha": "right"} if one_each and len(names) > 2 else {}
    axes.set_xticks(range(len(names)), [_two_lines(name) for name in names], fontsize=9, **turned)
    axes.set_xlim(-0.6, len(names) - 0.4)
    return lowest


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
