"""An evaluation as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from edge.classification.model_card import ALERT_LABEL
from training.common.intervals import Estimate
from training.evaluation.figures import MASKED, Evaluation, LabelEstimates, Macro
from training.evaluation.slices import Slice

WAYS = {
    "source": "by data set",
    "width": "by width of the face (of the picture, where it is a crop)",
    "brightness": "by brightness of the face (mean grey value, of 255)",
    "kind": "by the way the mask is drawn",
}
#: What stands above a column of the share that is flagged, by true label.
FLAGGED = {
    ALERT_LABEL: "bare flagged",
    MASKED: "masked flagged",
    "incorrect_mask": "incorrect flagged",
}
WIDE, NARROW, NAME, OF = 25, 22, 16, 26


def as_text(found: Evaluation) -> Iterator[str]:
    """The lines; brackets hold 95% intervals."""
    yield f"{found.model} with {found.runtime} on {found.data} ({found.split})"
    yield (
        f"accuracy   {fraction(found.accuracy)} over {found.figures.count} faces,"
        f" {found.left_out} left out"
    )
    yield from _without_copies(found)
    yield from _labels(found)
    yield from _confusion(found)
    yield (
        f"calibration error (ECE): of its answers {percent(found.answer_reliability.ece)},"
        f" of the {ALERT_LABEL} score {percent(found.alert_reliability.ece)}"
    )
    yield from _alerts(found)
    for way, slices in found.slices.items():
        yield from _slices(WAYS[way], slices)
    yield (
        f"in brackets: {found.bootstrap['interval']:.0%} intervals,"
        f" {found.bootstrap['resamples']} bootstrap draws of the {found.pictures} pictures"
    )


def fraction(each: Estimate | None) -> str:
    """Such as 0.9684 [0.9509, 0.9834]; a dash where there is no value."""
    return "-" if each is None else f"{each.value:.4f} [{each.low:.4f}, {each.high:.4f}]"


def percent(each: Estimate | None) -> str:
    """Such as 96.8% [95.1, 98.3]; a dash where there is no value."""
    if each is None:
        return "-"
    return f"{each.value:.1%} [{100 * each.low:.1f}, {100 * each.high:.1f}]"


def _without_copies(found: Evaluation) -> Iterator[str]:
    if found.without_copies is not None:
        each = found.without_copies
        yield (
            f"           {fraction(each.accuracy)} without {each.copies} that all but repeat a"
            f" training picture of {', '.join(each.of)}"
        )


def _labels(found: Evaluation) -> Iterator[str]:
    heads = "".join(f"{head:{WIDE}}" for head in ("precision", "recall", "F1"))
    yield f"{'':{NAME}}{heads} faces"
    for label, each in found.by_label.items():
        line = "".join(
            f"{fraction(cell):{WIDE}}" for cell in (each.precision, each.recall, each.f1)
        )
        yield f"{label:{NAME}}{line}{found.figures.by_label[label].count:6d}"
    means = (found.macro.precision, found.macro.recall, found.macro.f1)
    yield f"{'macro':{NAME}}{''.join(f'{fraction(mean):{WIDE}}' for mean in means)}".rstrip()
    told = [(label, each) for label, each in found.by_label.items() if each.auc is not None]
    for label, each in sorted(told, key=lambda pair: pair[0] != ALERT_LABEL):
        yield (
            f"{label} against the rest: area under ROC {fraction(each.auc)},"
            f" average precision {fraction(each.average_precision)}"
        )


def _three(of: LabelEstimates | Macro) -> str:
    return "".join(f"{fraction(each):{WIDE}}" for each in (of.precision, of.recall, of.f1))


def _confusion(found: Evaluation) -> Iterator[str]:
    labels = found.figures.by_label
    yield "confusion (rows true, columns said): " + ", ".join(labels)
    for label, row in zip(labels, found.figures.confusion, strict=True):
        yield f"  {label:{NAME - 2}}" + "  ".join(f"{value:5d}" for value in row)


def _alerts(found: Evaluation) -> Iterator[str]:
    rows = [("the model's own", found.alerts)]
    if found.chosen is not None:
        allowed = f"{100 * found.chosen.false_alarms:g}%"
        rows.append((f"{allowed} of masked in validation", found.alerts_at_chosen))
    rows.append(("2% of masked here", found.alerts_at_2_percent))
    shown = [(what, each) for what, each in rows if each is not None]
    if not shown:
        return
    labels = [label for label in FLAGGED if any(label in each.flagged for _, each in shown)]
    heads = "".join(f"{FLAGGED[label]:{NARROW}}" for label in labels)
    yield (f"{'alert threshold':38}" + heads).rstrip()
    for what, each in shown:
        cells = "".join(f"{percent(each.flagged.get(label)):{NARROW}}" for label in labels)
        yield f"  {each.threshold:.3f} {what:30}{cells}".rstrip()


def _slices(title: str, slices: list[Slice]) -> Iterator[str]:
    labels = [label for label in FLAGGED if any(label in each.flagged for each in slices)]
    name = 2 + max(22, *(len(each.name) for each in slices))
    yield title
    heads = ["accuracy", *(FLAGGED[label] for label in labels)]
    yield (f"  {'':{name}}" + "".join(f"{head:{OF}}" for head in heads)).rstrip()
    for each in slices:
        figures = [each.accuracy, *(each.flagged.get(label) for label in labels)]
        yield f"  {each.name:{name}}{''.join(f'{_of(one):{OF}}' for one in figures)}".rstrip()


def _of(each: Estimate | None) -> str:
    if each is None:
        return "-"
    return f"{each.value:.1%} [{100 * each.low:.0f}, {100 * each.high:.0f}] of {each.count}"
