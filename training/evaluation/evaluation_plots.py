"""Plots of an evaluation: one PNG file for each question, with data sets side by side, and without
pictures of people.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge.classification.model_card import ALERT_LABEL
from training.common.intervals import Estimate
from training.common.plotting import LABEL_COLOURS, OTHER_COLOURS, plot
from training.evaluation.calibration_error import Reliability
from training.evaluation.evaluate import EvaluationResult
from training.evaluation.evaluation_metrics import MASKED, AlertMetrics
from training.evaluation.roc import Ranking, curve_bands, curve_points
from training.evaluation.slice_plots import errors_percent, write_slice_plots

DISPLAY_NAMES = {"mask": "masked", ALERT_LABEL: "bare", "incorrect_mask": "worn wrongly"}
#: Axis limits: a higher share of false alarms, or a lower recall, is of no practical use.
MAX_FALSE_ALARMS, MIN_RECALL = 0.2, 0.5
#: Operating points at which curves are read; the axes must show the curves up to these points.
READ_AT_FALSE_ALARMS, READ_AT_RECALL = 0.02, 0.95
#: Bins with fewer faces are left out of the reliability diagram, because their intervals are huge.
MIN_SAMPLES = 5
COLUMNS = 3
STEPS = np.linspace(0, 1, 501)
SMALL_LEGEND = {"alignment": "left", "fontsize": 9, "title_fontsize": 9}
#: Draws the results of data sets into a file, with a title.
DrawPlot = Callable[[Path, Sequence[EvaluationResult], str], None]


def write_plots(
    folder: Path, results: Sequence[EvaluationResult], pooled_results: Sequence[EvaluationResult]
) -> dict[str, str]:
    """Write PNG files to `folder` and return their names with what each shows.

    `results` holds one result for each data set; `pooled_results` holds the result of all of them
    together, if there are several.
    """
    every = [*results, *pooled_results]
    alerting = [each for each in results if _alert_ranking(each).has_both_classes]
    telling = [each for each in results if any(_rankings(each))]
    drawn: dict[str, tuple[str, DrawPlot, Sequence[EvaluationResult]]] = {
        "alerts.png": ("Bare faces found against false alarms", _draw_alerts, alerting),
        "confusion.png": ("Confusion matrix", _draw_confusion, results),
        "roc.png": ("ROC curves, each label against the others", _draw_roc, telling),
        "precision-recall.png": (
            "Precision and recall of each label",
            _draw_precision_recall,
            telling,
        ),
        "reliability.png": ("Reliability diagram", _draw_reliability, every),
        "scores.png": ("Scores of faces, by true label", _draw_scores, results),
    }
    for name, (title, draw, of) in drawn.items():
        if of:
            draw(folder / name, of, title)
    shown = {name: title for name, (title, _, of) in drawn.items() if of}
    return {**shown, **write_slice_plots(folder, [each.evaluation for each in results])}


def _alert_ranking(result: EvaluationResult) -> Ranking:
    """Rank bare faces against masked ones by the alert label's score."""
    predictions = result.predictions
    bare = predictions.is_label(ALERT_LABEL)
    either = bare | predictions.is_label(MASKED)
    return Ranking(predictions.scores_of(ALERT_LABEL)[either], bare[either])


@contextlib.contextmanager
def _panels(
    path: Path, results: Sequence[EvaluationResult], title: str, height_in: float
) -> Iterator[list[Any]]:
    """Yield axes in rows, one for each data set, with its name as the title."""
    columns = 2 if len(results) == 4 else min(COLUMNS, len(results))
    rows = math.ceil(len(results) / columns)
    width_in = max(5.5, 4.2 * columns)
    with plot(path, width_in, height_in * rows, rows, columns) as axes:
        every = list(np.ravel(axes))
        every[0].figure.suptitle(title, fontsize=15, fontweight="bold")
        for each, result in zip(every, results, strict=False):
            each.set_title(result.context.data, fontweight="normal")
        for spare in every[len(results) :]:
            spare.axis("off")
        yield every[: len(results)]


def _draw_alerts(path: Path, results: Sequence[EvaluationResult], title: str) -> None:
    with plot(path, 7.5, 5.2) as axes:
        lows = []
        for index, result in enumerate(results):
            colour = OTHER_COLOURS[index % len(OTHER_COLOURS)]
            ranking, predictions = _alert_ranking(result), result.predictions
            either = predictions.is_label(ALERT_LABEL) | predictions.is_label(MASKED)
            (low, high), _ = curve_bands(ranking, predictions.pictures[either], STEPS)
            lows.append(np.min(low[STEPS >= READ_AT_FALSE_ALARMS]))
            wrong, right, _ = curve_points(ranking)
            axes.fill_between(100 * STEPS, 100 * low, 100 * high, color=colour, alpha=0.15, lw=0)
            axes.step(
                100 * wrong, 100 * right, where="post", color=colour, label=result.context.data
            )
            _mark_threshold(axes, result.evaluation.alerts, "o", colour)
            _mark_threshold(axes, result.evaluation.alerts_at_chosen, "D", colour)
        if results[0].context.threshold is not None:
            axes.plot([], [], "ko", label="at the model's threshold")
        for chosen in [each.evaluation.chosen for each in results if each.evaluation.chosen][:1]:
            allowed = f"{100 * chosen.false_alarms:g}%"
            axes.plot([], [], "kD", label=f"chosen for {allowed} false alarms on validation")
        axes.set(
            title=title,
            xlabel="masked faces flagged, %",
            ylabel="bare faces flagged, %",
            xlim=(0, 100 * MAX_FALSE_ALARMS),
            ylim=(_axis_minimum(lows), 100.5),
        )
        axes.legend(loc="lower right", title="shaded: 95% interval", alignment="left")


def _mark_threshold(axes: Any, alerts: AlertMetrics | None, marker: str, colour: str) -> None:
    """Draw a mark where the threshold is on the curve, clipped to the axes if it is outside of
    them.
    """
    if alerts is not None and alerts.masked_flagged is not None and alerts.bare_flagged is not None:
        x, y = alerts.masked_flagged, alerts.bare_flagged
        within = x <= MAX_FALSE_ALARMS
        axes.plot(100 * x, 100 * y, marker, color=colour, ms=8, mec="white", clip_on=not within)


def _draw_confusion(path: Path, results: Sequence[EvaluationResult], title: str) -> None:
    with _panels(path, results, title, 4.0) as panels:
        for axes, result in zip(panels, results, strict=True):
            counts = np.array(result.evaluation.figures.confusion)
            shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
            axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
            names = [DISPLAY_NAMES[label] for label in result.predictions.labels]
            axes.set_xticks(range(len(names)), names)
            axes.set_yticks(range(len(names)), names, rotation=90, va="center")
            axes.set(xlabel="predicted", ylabel="true")
            axes.grid(False)
            for (row, column), count in np.ndenumerate(counts):
                colour = "white" if shares[row, column] > 0.6 else "black"
                text = f"{count}\n{shares[row, column]:.1%}" if counts[row].any() else "no faces"
                axes.text(column, row, text, color=colour, ha="center", va="center")


def _axis_minimum(shares: Sequence[float]) -> float:
    """Return the lower end of an axis, in per cent, that leaves room for a legend below
    `shares`.
    """
    return float(np.clip(10 * math.floor(10 * min(shares)) - 20, 0, 80))


def _draw_roc(path: Path, results: Sequence[EvaluationResult], title: str) -> None:
    with _panels(path, results, title, 4.2) as panels:
        lows = []
        for axes, result in zip(panels, results, strict=True):
            for label, ranking in _rankings(result):
                wrong, right, _ = curve_points(ranking)
                (low, high), _ = curve_bands(
                    ranking, result.predictions.with_known_label().pictures, STEPS
                )
                _draw_curve(
                    axes, label, 100 * wrong, 100 * right, result.evaluation.by_label[label].auc
                )
                _shade_band(axes, label, low, high)
                lows.append(np.min(right[wrong >= READ_AT_FALSE_ALARMS]))
            axes.set(
                xlabel="false positive rate, %",
                ylabel="true positive rate, %",
                xlim=(0, 100 * MAX_FALSE_ALARMS),
            )
            axes.legend(loc="lower right", title="area under the whole curve", **SMALL_LEGEND)
        for axes in panels:
            axes.set_ylim(_axis_minimum(lows), 100.5)


def _draw_precision_recall(path: Path, results: Sequence[EvaluationResult], title: str) -> None:
    with _panels(path, results, title, 4.2) as panels:
        lows = []
        for axes, result in zip(panels, results, strict=True):
            for label, ranking in _rankings(result):
                _, right, precision = curve_points(ranking)
                _, (low, high) = curve_bands(
                    ranking, result.predictions.with_known_label().pictures, STEPS
                )
                average = result.evaluation.by_label[label].average_precision
                _draw_curve(axes, label, 100 * right, 100 * precision, average)
                _shade_band(axes, label, low, high)
                lows.append(np.min(precision[(right > 0) & (right <= READ_AT_RECALL)], initial=1.0))
            axes.set(xlabel="recall, %", ylabel="precision, %", xlim=(100 * MIN_RECALL, 100.5))
            axes.legend(loc="lower left", title="average precision", **SMALL_LEGEND)
        for axes in panels:
            axes.set_ylim(_axis_minimum(lows), 100.5)


def _rankings(result: EvaluationResult) -> Iterator[tuple[str, Ranking]]:
    """Yield the ranking for each label that some, but not all, of the faces have.

    The alert label comes last, so that it is drawn on top.
    """
    known = result.predictions.with_known_label()
    for label in sorted(known.labels, key=lambda label: label == ALERT_LABEL):
        ranking = Ranking(known.scores_of(label), known.is_label(label))
        if ranking.has_both_classes:
            yield label, ranking


def _draw_curve(axes: Any, label: str, x: Any, y: Any, figure: Estimate | None) -> None:
    estimate_text = (
        "" if figure is None else f" {figure.value:.4f} [{figure.low:.4f}, {figure.high:.4f}]"
    )
    width = 2.2 if label == ALERT_LABEL else 1.4
    where = {
        "color": LABEL_COLOURS[label],
        "lw": width,
        "label": f"{DISPLAY_NAMES[label]}{estimate_text}",
    }
    axes.step(x, y, where="post", **where)


def _shade_band(axes: Any, label: str, low: Any, high: Any) -> None:
    axes.fill_between(
        100 * STEPS, 100 * low, 100 * high, color=LABEL_COLOURS[label], alpha=0.12, lw=0
    )


def _draw_reliability(path: Path, results: Sequence[EvaluationResult], title: str) -> None:
    with _panels(path, results, title, 4.2) as panels:
        for axes, result in zip(panels, results, strict=True):
            axes.plot([0, 100], [0, 100], color="#999999", ls=":", lw=1)
            found = result.evaluation
            _draw_bins(axes, found.answer_reliability, "black", "score of the predicted label")
            _draw_bins(axes, found.alert_reliability, LABEL_COLOURS[ALERT_LABEL], "score for bare")
            axes.set(xlabel="mean score, %", ylabel="share that is correct, %", xlim=(-4, 104))
            axes.set(yticks=range(0, 101, 20), ylim=(-4, 145))  # room for the legend above
            axes.legend(loc="upper left", title="calibration error (ECE)", alignment="left")


def _draw_bins(axes: Any, found: Reliability, colour: str, name: str) -> None:
    """Draw a dot for each bin; its area grows with the number of faces.

    A confident model gives few faces a medium score.
    """
    shown = [each for each in found.bins if each.share.count >= MIN_SAMPLES]
    x = [100 * each.score for each in shown]
    y = [100 * each.share.value for each in shown]
    if shown:
        errors = errors_percent([each.share for each in shown])
        axes.errorbar(x, y, yerr=errors, fmt="none", color=colour, elinewidth=1, alpha=0.6)
    sizes = [12 + 160 * each.share.count / found.ece.count for each in shown]
    axes.scatter(x, y, sizes, color=colour, alpha=0.8, lw=0, label=f"{name}: {found.ece.value:.1%}")


def _draw_scores(path: Path, results: Sequence[EvaluationResult], title: str) -> None:
    edges = np.linspace(0, 100, 51)
    with _panels(path, results, title, 3.8) as panels:
        for axes, result in zip(panels, results, strict=True):
            predictions = result.predictions
            for label, colour in LABEL_COLOURS.items():
                scores = 100 * predictions.scores_of(ALERT_LABEL)[predictions.is_label(label)]
                if len(scores):
                    name = f"{DISPLAY_NAMES[label]} ({len(scores)})"
                    axes.hist(scores, edges, color=colour, histtype="stepfilled", alpha=0.25)
                    axes.hist(scores, edges, color=colour, histtype="step", lw=1.4, label=name)
            if result.context.threshold is not None:
                threshold_percent = 100 * result.context.threshold
                axes.axvline(
                    threshold_percent, color="black", ls="--", lw=1, label="alert threshold"
                )
            axes.set(xlabel="score for bare, %", ylabel="faces", yscale="log", xlim=(0, 100))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.legend(loc="upper center", fontsize=10, frameon=True, edgecolor="none")
