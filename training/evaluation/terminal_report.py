"""The report of an evaluation as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from edge.classification.model_card import ALERT_LABEL
from training.common.intervals import Estimate
from training.evaluation.evaluation_metrics import (
    MASKED,
    READ_AT_PRECISION,
    Evaluation,
    LabelEstimates,
    MacroEstimates,
)
from training.evaluation.slices import Slice

SLICE_TITLES = {
    "source": "by data set",
    "width": "by width of the face (of the picture, where it is a crop)",
    "brightness": "by brightness of the face (mean grey value, of 255)",
    "skin": "by skin tone of bare faces (individual typology angle of the skin, degrees)",
    "colour": "by colour (the same faces with their colours changed)",
    "framing": "by framing (the same boxed faces with another box of the detector)",
    "kind": "by how MaskedFace-Net's mask is worn",
}
#: Headings of the columns with the share that is flagged, by true label.
FLAGGED_TITLES = {
    ALERT_LABEL: "bare flagged",
    MASKED: "masked flagged",
    "incorrect_mask": "incorrect flagged",
}
RECALL_TITLE = f"recall at precision {READ_AT_PRECISION:g}"
METRIC_WIDTH, FLAGGED_WIDTH, LABEL_WIDTH, SLICE_WIDTH = 25, 22, 16, 26


def report_lines(evaluation: Evaluation) -> Iterator[str]:
    """Yield the lines of the report; brackets contain 95% intervals."""
    yield f"{evaluation.model} with {evaluation.runtime} on {evaluation.data} ({evaluation.split})"
    yield f"labels     {', '.join(evaluation.by_label)}"
    yield (
        f"accuracy   {format_fraction(evaluation.accuracy)} over {evaluation.figures.count} faces,"
        f" {evaluation.left_out} left out"
    )
    yield from _without_copies(evaluation)
    yield from _labels(evaluation)
    yield from _confusion(evaluation)
    yield (
        "calibration error (ECE): of the predicted label's score"
        f" {format_percent(evaluation.answer_reliability.ece)}, of the {ALERT_LABEL} score"
        f" {format_percent(evaluation.alert_reliability.ece)}"
    )
    yield from _alerts(evaluation)
    for grouping, slices in evaluation.slices.items():
        yield from _slices(SLICE_TITLES[grouping], slices)
    bootstrap = evaluation.bootstrap
    yield (
        f"brackets contain {bootstrap['interval']:.0%} intervals from {bootstrap['resamples']}"
        f" bootstrap draws of the {evaluation.pictures} pictures"
    )


def format_fraction(each: Estimate | None) -> str:
    """Return text such as 0.9684 [0.9509, 0.9834], or a dash for None."""
    return "-" if each is None else f"{each.value:.4f} [{each.low:.4f}, {each.high:.4f}]"


def format_percent(each: Estimate | None) -> str:
    """Return text such as 96.8% [95.1, 98.3], or a dash for None."""
    if each is None:
        return "-"
    return f"{each.value:.1%} [{100 * each.low:.1f}, {100 * each.high:.1f}]"


def _without_copies(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.without_copies is not None:
        each = evaluation.without_copies
        yield (
            f"           {format_fraction(each.accuracy)} without {each.copies} near-duplicates of"
            f" training pictures of {', '.join(each.of)}"
        )


def _labels(evaluation: Evaluation) -> Iterator[str]:
    heads = "".join(f"{head:{METRIC_WIDTH}}" for head in ("precision", "recall", "F1"))
    yield f"{'':{LABEL_WIDTH}}{heads} faces"
    for label, each in evaluation.by_label.items():
        count = evaluation.figures.by_label[label].count
        yield f"{label:{LABEL_WIDTH}}{_metric_columns(each)}{count:6d}"
    yield f"{'macro':{LABEL_WIDTH}}{_metric_columns(evaluation.macro)}".rstrip()
    ranked = [(label, each) for label, each in evaluation.by_label.items() if each.auc is not None]
    for label, each in sorted(ranked, key=lambda pair: pair[0] != ALERT_LABEL):
        yield (
            f"{label} against the others: area under ROC {format_fraction(each.auc)},"
            f" average precision {format_fraction(each.average_precision)}"
        )
        yield f"{label}: {RECALL_TITLE} {format_fraction(each.recall_at_precision)}"


def _metric_columns(metrics: LabelEstimates | MacroEstimates) -> str:
    return "".join(
        f"{format_fraction(each):{METRIC_WIDTH}}"
        for each in (metrics.precision, metrics.recall, metrics.f1)
    )


def _confusion(evaluation: Evaluation) -> Iterator[str]:
    labels = evaluation.figures.by_label
    yield "confusion (rows: true label, columns: predicted label): " + ", ".join(labels)
    for label, row in zip(labels, evaluation.figures.confusion, strict=True):
        yield f"  {label:{LABEL_WIDTH - 2}}" + "  ".join(f"{value:5d}" for value in row)


def _alerts(evaluation: Evaluation) -> Iterator[str]:
    thresholds = [("the model's own", evaluation.alerts)]
    if evaluation.chosen is not None:
        allowed = f"{100 * evaluation.chosen.false_alarms:g}%"
        thresholds.append((f"{allowed} of masked validation faces", evaluation.alerts_at_chosen))
    thresholds.append(("2% of these masked faces", evaluation.alerts_at_2_percent))
    rows = [(threshold_name, each) for threshold_name, each in thresholds if each is not None]
    if not rows:
        return
    labels = [label for label in FLAGGED_TITLES if any(label in each.flagged for _, each in rows)]
    heads = "".join(f"{FLAGGED_TITLES[label]:{FLAGGED_WIDTH}}" for label in labels)
    yield (f"{'alert threshold':42}" + heads).rstrip()
    for threshold_name, each in rows:
        cells = "".join(
            f"{format_percent(each.flagged.get(label)):{FLAGGED_WIDTH}}" for label in labels
        )
        yield f"  {each.threshold:.3f} {threshold_name:34}{cells}".rstrip()


def _slices(title: str, slices: list[Slice]) -> Iterator[str]:
    labels = [label for label in FLAGGED_TITLES if any(label in each.flagged for each in slices)]
    name = 2 + max(22, *(len(each.name) for each in slices))
    yield title
    heads = ["accuracy", *(FLAGGED_TITLES[label] for label in labels), "ECE"]
    yield (f"  {'':{name}}" + "".join(f"{head:{SLICE_WIDTH}}" for head in heads)).rstrip()
    for each in slices:
        estimates = [each.accuracy, *(each.flagged.get(label) for label in labels), each.ece]
        cells = "".join(f"{_format_share(estimate):{SLICE_WIDTH}}" for estimate in estimates)
        yield f"  {each.name:{name}}{cells}".rstrip()


def _format_share(each: Estimate | None) -> str:
    if each is None:
        return "-"
    return f"{each.value:.1%} [{100 * each.low:.0f}, {100 * each.high:.0f}] of {each.count}"
