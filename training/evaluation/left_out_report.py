"""The results of networks that were trained without the data set that they are evaluated on.

They say what to expect of pictures of another origin: where no one has trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from edge.classification.model_card import ALERT_LABEL
from training.common.intervals import Estimate
from training.common.plotting import OTHER_COLOURS, plot
from training.common.struct_file import read_struct
from training.evaluation.evaluation_metrics import MASKED, Evaluation
from training.evaluation.slice_plots import errors_percent
from training.evaluation.terminal_report import RECALL_TITLE, format_percent

INCORRECT = "incorrect_mask"


class LeftOutSource(msgspec.Struct, frozen=True, kw_only=True):
    """A data set, and the figures on its test split of a network that was trained on others.

    `figures`: shares, 0 to 1, by the titles of the report's columns; None where no face defines
    one.
    """

    source: str
    trained_on: list[str]
    faces: int
    figures: dict[str, Estimate | None]


class LeftOutResults(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `left-out.json`: `steps` is the number of training steps of each network."""

    labels: list[str]
    net: str
    steps: int
    sources: list[LeftOutSource]


def left_out_source(evaluation: Evaluation, trained_on: Sequence[str]) -> LeftOutSource:
    """Return the figures of the report from the evaluation of a data set that was left out."""
    at_threshold = {} if evaluation.alerts is None else evaluation.alerts.flagged
    at_2_percent = (
        {} if evaluation.alerts_at_2_percent is None else evaluation.alerts_at_2_percent.flagged
    )
    figures = {
        "accuracy": evaluation.accuracy,
        "macro F1": evaluation.macro.f1,
        "bare flagged at 2% of the masked": at_2_percent.get(ALERT_LABEL),
        "bare flagged at the threshold": at_threshold.get(ALERT_LABEL),
        "masked flagged at the threshold": at_threshold.get(MASKED),
        "ECE": evaluation.answer_reliability.ece,
    }
    if INCORRECT in evaluation.by_label:
        own = evaluation.by_label[INCORRECT]
        figures |= {
            f"`{INCORRECT}`: precision": own.precision,
            f"`{INCORRECT}`: recall": own.recall,
            f"`{INCORRECT}`: {RECALL_TITLE}": own.recall_at_precision,
        }
    return LeftOutSource(
        source=evaluation.data,
        trained_on=list(trained_on),
        faces=evaluation.figures.count,
        figures=figures,
    )


def left_out_table(results: LeftOutResults) -> list[str]:
    """Return a Markdown table: a row for each data set that was left out."""
    titles = list(dict.fromkeys(title for each in results.sources for title in each.figures))
    rows = [["trained without, and evaluated on", "faces", *titles]]
    rows.append(["---"] * len(rows[0]))
    for each in results.sources:
        cells = (format_percent(each.figures.get(title)) for title in titles)
        rows.append([each.source, str(each.faces), *cells])
    return [f"| {' | '.join(row)} |" for row in rows]


def left_out_section(results: LeftOutResults) -> list[str]:
    """Return the section of a report: a heading, how the figures were measured, and the table."""
    return [
        "## Trained without the data set\n",
        f"Each row is a network of its own (`--net {results.net}`, {results.steps} steps) that was"
        " trained on the other data sets, without near-duplicates of the pictures that it is"
        " evaluated on. The threshold was chosen on the validation splits of those data sets.\n",
        *left_out_table(results),
        "",
    ]


def read_left_out(path: Path) -> LeftOutResults:
    """Read `left-out.json`; raises UserError, which names the file and what is wrong in it."""
    return read_struct(path, LeftOutResults)


def write_left_out_plot(path: Path, results: LeftOutResults) -> None:
    """Draw the figures of all data sets, as points with their intervals, to a PNG file."""
    with plot(path, 9.0, 1.2 + 1.6 * len(results.sources)) as axes:
        titles = list(dict.fromkeys(title for each in results.sources for title in each.figures))
        for index, each in enumerate(results.sources):
            drawn = [
                (titles.index(title), estimate)
                for title, estimate in each.figures.items()
                if estimate is not None
            ]
            aside = 0.7 * ((index + 0.5) / len(results.sources) - 0.5)
            axes.errorbar(
                [100 * estimate.value for _, estimate in drawn],
                [place + aside for place, _ in drawn],
                xerr=errors_percent([estimate for _, estimate in drawn]),
                fmt="o",
                color=OTHER_COLOURS[index % len(OTHER_COLOURS)],
                capsize=3,
                label=f"{each.source} ({each.faces} faces)",
            )
        axes.set(title="Trained without the data set", xlabel="%", xlim=(-1, 101))
        axes.set_yticks(range(len(titles)), [title.replace("`", "") for title in titles])
        axes.set_ylim(len(titles) - 0.5, -0.5)
        axes.figure.legend(loc="outside lower center", ncols=3)
