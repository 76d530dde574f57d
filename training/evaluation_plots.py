"""An evaluation as pictures: one PNG a question, data sets side by side; nobody is in them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge.card import ALERT_LABEL
from training.calibration import Reliability
from training.evaluate import Outcome
from training.evaluation import MASKED
from training.evaluation_parts import errors_percent, write_parts
from training.intervals import Estimate
from training.plotting import LABEL_COLOURS, OTHER_COLOURS, plot
from training.roc import Ranking, bands, curve

SHOWN = {"mask": "masked", ALERT_LABEL: "bare", "incorrect_mask": "worn wrongly"}
#: False alarms beyond this share are of no use to anybody.
MOST_FALSE_ALARMS = 0.2
LEAST_FOUND = 0.5
COLUMNS = 3
STEPS = np.linspace(0, 1, 501)


def write_plots(folder: Path, outcomes: Sequence[Outcome]) -> dict[str, str]:
    """PNG files in `folder`, by name, with what each shows; `outcomes`: one per data set."""
    telling = [each for each in outcomes if _alert_ranking(each).both]
    drawn: dict[str, tuple[str, Callable[[Path, Sequence[Outcome]], None], Sequence[Outcome]]] = {
        "alerts.png": ("Bare faces found against false alarms", _alerts, telling),
        "confusion.png": ("What was said of which faces", _confusion, outcomes),
        "roc.png": ("ROC curves, each label against the rest", _roc, telling),
        "precision-recall.png": ("Precision and recall of each label", _precision_recall, telling),
        "reliability.png": ("Whether scores mean what they say", _reliability, outcomes),
        "scores.png": ("How faces are scored, by what they are", _scores, outcomes),
    }
    for name, (_, draw, of) in drawn.items():
        if of:
            draw(folder / name, of)
    shown = {name: title for name, (title, _, of) in drawn.items() if of}
    return {**shown, **write_parts(folder, [each.evaluation for each in outcomes])}


def _alert_ranking(outcome: Outcome) -> Ranking:
    """Bare faces against masked ones, by the alert label's score."""
    answers = outcome.answers
    bare = answers.are(ALERT_LABEL)
    either = bare | answers.are(MASKED)
    return Ranking(answers.of(ALERT_LABEL)[either], bare[either])


@contextlib.contextmanager
def _panels(path: Path, outcomes: Sequence[Outcome], height_in: float) -> Iterator[list[Any]]:
    """Axes, one for each data set and titled so, in rows."""
    columns = min(COLUMNS, len(outcomes))
    rows = math.ceil(len(outcomes) / columns)
    width_in = max(5.5, 4.2 * columns)
    with plot(path, width_in, height_in * rows, rows, columns) as axes:
        every = list(np.ravel(axes))
        for each, outcome in zip(every, outcomes, strict=False):
            each.set_title(outcome.asked.data)
        for spare in every[len(outcomes) :]:
            spare.axis("off")
        yield every[: len(outcomes)]


def _alerts(path: Path, outcomes: Sequence[Outcome]) -> None:
    with plot(path, 7.5, 5.2) as axes:
        for index, outcome in enumerate(outcomes):
            colour = OTHER_COLOURS[index % len(OTHER_COLOURS)]
            ranking, answers = _alert_ranking(outcome), outcome.answers
            either = answers.are(ALERT_LABEL) | answers.are(MASKED)
            (low, high), _ = bands(ranking, answers.pictures[either], STEPS)
            wrong, right, _ = curve(ranking)
            axes.fill_between(100 * STEPS, 100 * low, 100 * high, color=colour, alpha=0.15, lw=0)
            axes.step(
                100 * wrong, 100 * right, where="post", color=colour, label=outcome.asked.data
            )
            for marker, alerts in (
                ("o", outcome.evaluation.alerts),
                ("D", outcome.evaluation.alerts_at_chosen),
            ):
                if alerts and alerts.masked_flagged is not None and alerts.bare_flagged is not None:
                    place = 100 * alerts.masked_flagged, 100 * alerts.bare_flagged
                    axes.plot(*place, marker, color=colour, ms=8, mec="white", clip_on=False)
        axes.plot([], [], "ko", label="at the model's threshold")
        chosen = outcomes[0].evaluation.chosen
        if chosen is not None:
            axes.plot([], [], "kD", label=f"chosen for {chosen.false_alarms:.0%} on validation")
        axes.set(
            title="Bare faces found, for so many false alarms",
            xlabel="masked faces flagged, %",
            ylabel="bare faces flagged, %",
            xlim=(0, 100 * MOST_FALSE_ALARMS),
            ylim=(100 * LEAST_FOUND, 100.5),
        )
        axes.legend(loc="lower right", title="shaded: 95% interval", alignment="left")


def _confusion(path: Path, outcomes: Sequence[Outcome]) -> None:
    with _panels(path, outcomes, 4.0) as panels:
        for axes, outcome in zip(panels, outcomes, strict=True):
            counts = np.array(outcome.evaluation.figures.confusion)
            shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
            axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
            names = [SHOWN[label] for label in outcome.answers.labels]
            axes.set_xticks(range(len(names)), names)
            axes.set_yticks(range(len(names)), names, rotation=90, va="center")
            axes.set(xlabel="said to be", ylabel="is")
            axes.grid(False)
            for (row, column), count in np.ndenumerate(counts):
                colour = "white" if shares[row, column] > 0.6 else "black"
                text = f"{count}\n{shares[row, column]:.1%}" if counts[row].any() else "no faces"
                axes.text(column, row, text, color=colour, ha="center", va="center")


def _roc(path: Path, outcomes: Sequence[Outcome]) -> None:
    with _panels(path, outcomes, 4.2) as panels:
        for axes, outcome in zip(panels, outcomes, strict=True):
            for label, ranking in _rankings(outcome):
                wrong, right, _ = curve(ranking)
                (low, high), _ = bands(ranking, outcome.answers.counted().pictures, STEPS)
                _line(axes, label, 100 * wrong, 100 * right, outcome.evaluation.by_label[label].auc)
                _shade(axes, label, low, high)
            axes.set(
                xlabel="others taken for it, %",
                ylabel="of them found, %",
                xlim=(0, 100 * MOST_FALSE_ALARMS),
                ylim=(100 * LEAST_FOUND, 100.5),
            )
            axes.legend(loc="lower right", title="area under the whole curve", alignment="left")


def _precision_recall(path: Path, outcomes: Sequence[Outcome]) -> None:
    with _panels(path, outcomes, 4.2) as panels:
        for axes, outcome in zip(panels, outcomes, strict=True):
            for label, ranking in _rankings(outcome):
                _, right, precision = curve(ranking)
                _, (low, high) = bands(ranking, outcome.answers.counted().pictures, STEPS)
                average = outcome.evaluation.by_label[label].average_precision
                _line(axes, label, 100 * right, 100 * precision, average)
                _shade(axes, label, low, high)
            axes.set(
                xlabel="recall, %",
                ylabel="precision, %",
                xlim=(100 * LEAST_FOUND, 100.5),
                ylim=(100 * LEAST_FOUND, 100.5),
            )
            axes.legend(loc="lower left", title="average precision", alignment="left")


def _rankings(outcome: Outcome) -> Iterator[tuple[str, Ranking]]:
    """Each label that can be told from the rest, the alert label last: drawn over the others."""
    counted = outcome.answers.counted()
    for label in sorted(counted.labels, key=lambda label: label == ALERT_LABEL):
        ranking = Ranking(counted.of(label), counted.are(label))
        if ranking.both:
            yield label, ranking


def _line(axes: Any, label: str, x: Any, y: Any, figure: Estimate | None) -> None:
    told = "" if figure is None else f" {figure.value:.4f} [{figure.low:.3f}, {figure.high:.3f}]"
    width = 2.2 if label == ALERT_LABEL else 1.4
    where = {"color": LABEL_COLOURS[label], "lw": width, "label": f"{SHOWN[label]}{told}"}
    axes.step(x, y, where="post", **where)


def _shade(axes: Any, label: str, low: Any, high: Any) -> None:
    axes.fill_between(
        100 * STEPS, 100 * low, 100 * high, color=LABEL_COLOURS[label], alpha=0.12, lw=0
    )


def _reliability(path: Path, outcomes: Sequence[Outcome]) -> None:
    with _panels(path, outcomes, 4.2) as panels:
        for axes, outcome in zip(panels, outcomes, strict=True):
            axes.plot([0, 100], [0, 100], color="#999999", ls=":", lw=1)
            found = outcome.evaluation
            _bins(axes, found.alert_reliability, LABEL_COLOURS[ALERT_LABEL], "score for bare", "o-")
            _bins(axes, found.answer_reliability, "black", "score of the answer", "s--")
            axes.set(xlabel="mean score, %", ylabel="so it is, %", xlim=(-2, 102), ylim=(-2, 102))
            axes.legend(loc="upper left", title="calibration error (ECE)", alignment="left")


def _bins(axes: Any, found: Reliability, colour: str, name: str, style: str) -> None:
    x = [100 * each.score for each in found.bins]
    axes.errorbar(
        x,
        [100 * each.share.value for each in found.bins],
        yerr=errors_percent([each.share for each in found.bins]),
        fmt=style,
        color=colour,
        lw=1.4,
        ms=5,
        elinewidth=1,
        label=f"{name}: {found.ece.value:.1%}",
    )


def _scores(path: Path, outcomes: Sequence[Outcome]) -> None:
    edges = np.linspace(0, 100, 51)
    with _panels(path, outcomes, 3.8) as panels:
        for axes, outcome in zip(panels, outcomes, strict=True):
            answers = outcome.answers
            for label, colour in LABEL_COLOURS.items():
                scores = 100 * answers.of(ALERT_LABEL)[answers.are(label)]
                if len(scores):
                    known = "" if label in answers.labels else ", no label of its own"
                    name = f"{SHOWN[label]} ({len(scores)}{known})"
                    axes.hist(scores, edges, color=colour, histtype="stepfilled", alpha=0.25)
                    axes.hist(scores, edges, color=colour, histtype="step", lw=1.4, label=name)
            if outcome.asked.threshold is not None:
                axes.axvline(100 * outcome.asked.threshold, color="black", ls="--", lw=1)
            axes.set(xlabel="score for bare, %", ylabel="faces", yscale="log", xlim=(0, 100))
            axes.legend(loc="upper center")
