"""The report of an evaluation as a folder: report.md, evaluation.json and plots, without pictures
of people.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.classification.model_card import ALERT_LABEL
from edge.common.errors import UserError
from edge.common.file_access import write_problem
from edge.inference.model_file import digest
from training.common.intervals import Estimate
from training.evaluation.evaluate import EvaluationResult, pool_results
from training.evaluation.evaluation_metrics import AlertMetrics, Evaluation
from training.evaluation.evaluation_plots import write_plots
from training.evaluation.left_out_report import LeftOutResults, left_out_section
from training.evaluation.slices import Slice
from training.evaluation.terminal_report import (
    FLAGGED_TITLES,
    RECALL_TITLE,
    SLICE_TITLES,
    format_fraction,
    format_percent,
)


def write_report_folder(
    folder: Path,
    model: Path,
    results: Sequence[EvaluationResult],
    left_out: LeftOutResults | None = None,
) -> Path:
    """Write the report of `results`, one for each data set, and return the path of report.md.

    `left_out`: the results of networks that were trained without each data set, to include. Raises
    UserError if the folder cannot be written.
    """
    pooled_results = [pool_results(results)] if len(results) > 1 else []
    each = [result.evaluation for result in [*results, *pooled_results]]
    content = {
        "model": str(model),
        "model_sha256": digest(model.read_bytes()),
        "data_sets": [dataclasses.asdict(evaluation) for evaluation in each[: len(results)]],
        "together": [dataclasses.asdict(evaluation) for evaluation in each[len(results) :]],
    }
    report = folder / "report.md"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        plots = write_plots(folder, results, pooled_results)
        (folder / "evaluation.json").write_text(json.dumps(content, indent=1) + "\n")
        report.write_text("\n".join(_report(model, each, plots, left_out)) + "\n")
    except OSError as error:
        raise UserError(f"cannot write the report to {folder}: {write_problem(error)}") from None
    return report


def _report(
    model: Path,
    evaluations: Sequence[Evaluation],
    plots: dict[str, str],
    left_out: LeftOutResults | None,
) -> Iterator[str]:
    first = evaluations[0]
    yield f"# {model.name} with {first.runtime}: {', '.join(first.by_label)}\n"
    yield (
        f"Digest `{digest(model.read_bytes())}`. Brackets contain"
        f" {first.bootstrap['interval']:.0%} intervals by the percentile method, from"
        f" {first.bootstrap['resamples']} bootstrap draws of whole pictures with all their faces;"
        " where a share is exactly 0% or 100%, the other end is the exact bound for as many"
        " independent pictures. The thresholds are fixed in all draws, except for the bare faces"
        " *at exactly 2% of the masked*, where each draw has its own. Resampling increases a"
        " calibration error, so its interval is biased upwards.\n"
    )
    yield from _overview(evaluations)
    yield from _alert_table(evaluations)
    if left_out is not None:
        yield from left_out_section(left_out)
    for evaluation in evaluations:
        yield f"## {evaluation.data} ({evaluation.split})\n"
        yield from _labels(evaluation)
        yield from _confusion(evaluation)
        for grouping, slices in evaluation.slices.items():
            yield from _slices(SLICE_TITLES[grouping], slices)
    yield "## Plots\n"
    for name, title in plots.items():
        yield f"![{title}]({name})\n"


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    yield _row(heads)
    yield _row(["---"] * len(heads))
    yield from map(_row, rows)
    yield ""


def _overview(evaluations: Sequence[Evaluation]) -> Iterator[str]:
    heads = ["data set", "faces, pictures", "accuracy", "macro F1", "area under ROC (bare)", "ECE"]
    copies = any(evaluation.without_copies for evaluation in evaluations)
    rows = []
    for evaluation in evaluations:
        row = [
            f"{evaluation.data} ({evaluation.split})",
            f"{evaluation.figures.count}, {evaluation.pictures}",
            format_percent(evaluation.accuracy),
            format_percent(evaluation.macro.f1),
            format_fraction(evaluation.by_label[ALERT_LABEL].auc),
            format_percent(evaluation.answer_reliability.ece),
        ]
        if copies:
            row.insert(3, _without_copies(evaluation))
        rows.append(row)
    if copies:
        heads.insert(3, "accuracy without copies")
    yield from _table(heads, rows)
    of = next(
        (evaluation.without_copies.of for evaluation in evaluations if evaluation.without_copies),
        None,
    )
    if of:
        yield (
            "*Without copies*: without faces that are near-duplicates of a training picture of"
            f" {', '.join(of)}.\n"
        )


def _without_copies(evaluation: Evaluation) -> str:
    each = evaluation.without_copies
    return "" if each is None else f"{format_percent(each.accuracy)}, {each.copies} left out"


def _alert_table(evaluations: Sequence[Evaluation]) -> Iterator[str]:
    yield "## Alerts: shares of bare and of masked faces flagged\n"
    chosen = next((evaluation.chosen for evaluation in evaluations if evaluation.chosen), None)
    heads = ["data set", "at the model's threshold", "at exactly 2% of the masked"]
    if chosen is not None:
        heads.insert(2, f"at {chosen.threshold:.3f}, chosen on validation")
    rows = []
    for evaluation in evaluations:
        row = [evaluation.data, _alert(evaluation.alerts), _alert(evaluation.alerts_at_2_percent)]
        if chosen is not None:
            row.insert(2, _alert(evaluation.alerts_at_chosen))
        rows.append(row)
    yield from _table(heads, rows)
    if chosen is not None:
        yield (
            f"{chosen.threshold:.3f} is the lowest threshold that at most"
            f" {100 * chosen.false_alarms:g}% of the {chosen.masked_faces} masked faces in the"
            f" validation splits of {', '.join(chosen.data)} reach; data sets count equally.\n"
        )


def _alert(alerts: AlertMetrics | None) -> str:
    if alerts is None:
        return ""
    bare, masked = (format_percent(alerts.flagged.get(label)) for label in (ALERT_LABEL, "mask"))
    return f"{bare}; {masked} ({alerts.threshold:.3f})"


def _labels(evaluation: Evaluation) -> Iterator[str]:
    rows: list[list[object]] = []
    for label, each in evaluation.by_label.items():
        shares = map(format_percent, (each.precision, each.recall, each.f1))
        areas = map(format_fraction, (each.auc, each.average_precision))
        at_precision = format_percent(each.recall_at_precision)
        count = evaluation.figures.by_label[label].count
        rows.append([f"`{label}`", count, *shares, at_precision, *areas])
    macro = evaluation.macro
    means = map(format_percent, (macro.precision, macro.recall, macro.f1))
    rows.append(["macro", evaluation.figures.count, *means, "", "", ""])
    heads = ["", "faces", "precision", "recall", "F1", RECALL_TITLE]
    yield from _table([*heads, "area under ROC", "average precision"], rows)
    if evaluation.left_out:
        yield (
            f"{evaluation.left_out} more faces were left out: the model has no label for them, they"
            " are too small, or their picture cannot be decoded.\n"
        )


def _confusion(evaluation: Evaluation) -> Iterator[str]:
    labels = list(evaluation.figures.by_label)
    yield from _table(
        ["true, predicted", *(f"`{label}`" for label in labels)],
        [
            [f"`{label}`", *row]
            for label, row in zip(labels, evaluation.figures.confusion, strict=True)
        ],
    )


def _slices(title: str, slices: Sequence[Slice]) -> Iterator[str]:
    labels = [label for label in FLAGGED_TITLES if any(label in each.flagged for each in slices)]
    yield from _table(
        [title, "accuracy", *(FLAGGED_TITLES[label] for label in labels), "ECE"],
        [
            [
                each.name,
                _format_share(each.accuracy),
                *(_format_share(each.flagged.get(label)) for label in labels),
                _format_share(each.ece),
            ]
            for each in slices
        ],
    )


def _format_share(each: Estimate | None) -> str:
    return "" if each is None else f"{format_percent(each)} of {each.count}"
