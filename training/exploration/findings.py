"""The summary of the data sets' statistics, for people and as JSON."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from training.data.crops import CORRUPT_SHARE, MIN_EVALUATED_WIDTH_PX
from training.data.datasets import LABELS
from training.data.layouts import incorrect_kind
from training.data.picture_style import MEASURES
from training.data.splits import Split
from training.exploration.dataset_stats import DataSetStats
from training.exploration.exploration_plots import styles_of
from training.exploration.near_duplicates import Pair, count_pairs, data_set_and_split

#: A measure with at least this separability reveals the label well enough that a model would use
#: it.
SEPARABLE = 0.70
#: A label that is more than this many times as frequent as another is reported.
MAX_IMBALANCE = 3.0
MAX_PAIRS_LISTED = 100

Summary = dict[str, Any]


def summary(
    all_seen: list[DataSetStats],
    pairs: list[Pair],
    separability_rows: list[tuple[str, dict[str, float]]],
) -> Summary:
    """Return everything in the report as plain values, for `explore.json`."""
    content: Summary = {
        "data": [_data_set_summary(stats) for stats in all_seen],
        "told_by_style": [{"of": name, **_rounded(each)} for name, each in separability_rows],
        "near_copies": [
            {
                "between": list(each.places),
                "pairs": each.pairs,
                "pictures": each.pictures,
                "labels_differ": each.labels_differ,
            }
            for each in count_pairs(pairs)
        ],
        "first_pairs": [
            {
                "one": str(pair.one.path),
                "two": str(pair.two.path),
                "between": [data_set_and_split(pair.one), data_set_and_split(pair.two)],
                "labels": [pair.one.label, pair.two.label],
            }
            for pair in pairs[:MAX_PAIRS_LISTED]
        ],
    }
    return {"findings": list(_findings(content)), **content}


def _data_set_summary(stats: DataSetStats) -> Summary:
    faces = stats.faces
    counts = Counter((str(f.sample.split), f.sample.label) for f in faces)
    labels = [label for label in LABELS[3] if any(f.sample.label == label for f in faces)]
    boxed = [f.face_px[0] for f in faces if f.sample.box_px is not None]
    pictures = {f.sample.path: f.picture_px for f in faces}
    kinds = Counter(
        kind
        for f in faces
        if f.sample.label == "incorrect_mask" and (kind := incorrect_kind(f.sample.path.name))
    )
    return {
        "name": stats.data.name,
        "folder": str(stats.data.root),
        "layout": stats.data.layout,
        "left_out_by_limit": stats.left_out,
        "pictures": len(pictures),
        "faces": len(faces),
        "labels": {label: sum(f.sample.label == label for f in faces) for label in labels},
        "parts": {
            str(split): {label: counts[str(split), label] for label in labels} for split in Split
        },
        "incorrect_kinds": dict(sorted(kinds.items())),
        "unreadable": [str(path) for path in stats.unreadable],
        "unreadable_share": len(stats.unreadable) / (len(stats.unreadable) + len(pictures)),
        "picture_px": {
            side: _quantiles([size[column] for size in pictures.values()])
            for column, side in enumerate(("width", "height"))
        },
        "annotated_face_width_px": _quantiles(boxed) if boxed else None,
        "too_narrow_share": float(np.mean(np.array(boxed) < MIN_EVALUATED_WIDTH_PX))
        if boxed
        else 0.0,
        "style": {
            label: {
                measure: _quantiles([getattr(style, measure) for style in styles])
                for measure in MEASURES
            }
            for label in labels
            if (styles := styles_of(stats, label))
        },
    }


def _quantiles(values: list[Any]) -> dict[str, float]:
    low, middle, high = np.quantile(np.array(values, float), (0.05, 0.5, 0.95))
    return _rounded({"p5": float(low), "median": float(middle), "p95": float(high)})


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}


def _findings(content: Summary) -> Iterator[str]:
    """Yield what a person should know before training, one sentence each."""
    for data in content["data"]:
        yield from _data_set_findings(data)
    yield from _style_findings(content["told_by_style"])
    yield from _duplicate_findings(content["near_copies"])


def _data_set_findings(data: Summary) -> Iterator[str]:
    name, counts = data["name"], data["labels"]
    if len(counts) == 1:
        yield (
            f"{name}: all faces are {next(iter(counts))}. Training also needs a data set with"
            " other labels; the model may then learn the style of the data set instead of the mask."
        )
    elif max(counts.values()) > MAX_IMBALANCE * min(counts.values()):
        most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
        ratio = counts[most] / counts[least]
        yield f"{name}: {most} is {ratio:.1f} times as frequent as {least}."
    empty = [part for part, of_part in data["parts"].items() if not any(of_part.values())]
    if empty:
        yield f"{name}: the {' and '.join(empty)} split has no face."
    if data["unreadable"]:
        share = data["unreadable_share"]
        effect = "training will stop" if share > CORRUPT_SHARE else "training leaves them out"
        yield f"{name}: {len(data['unreadable'])} pictures ({share:.1%}) are unreadable; {effect}."
    if data["too_narrow_share"] > 0.05:
        yield (
            f"{name}: {data['too_narrow_share']:.0%} of the annotated faces are narrower than"
            f" {MIN_EVALUATED_WIDTH_PX:g} px and are not evaluated."
        )


def _style_findings(separability_rows: list[Summary]) -> Iterator[str]:
    for row in separability_rows:
        if row["look"] >= SEPARABLE:
            measures, probability = "brightness, colour and sharpness", row["look"]
        elif row["look and size"] >= SEPARABLE:
            measures, probability = "brightness, colour, sharpness and size", row["look and size"]
        else:
            continue
        yield (
            f"{row['of']}: style reveals the label. Without a mask in view, {measures}"
            f" separate these labels with a probability of {probability:.2f} (0.5: chance)."
        )


def _duplicate_findings(counts: list[Summary]) -> Iterator[str]:
    """Yield a sentence for each data set or pair of data sets; the table lists the splits."""
    groups: dict[tuple[str, ...], list[Summary]] = defaultdict(list)
    for row in counts:
        if row["between"][0] != row["between"][1]:
            groups[tuple(sorted({place.rsplit(" ", 1)[0] for place in row["between"]}))].append(row)
    for names, rows in groups.items():
        where = "between splits of" if len(names) == 1 else "between"
        test = sum(r["pairs"] for r in rows if any(p.endswith(" test") for p in r["between"]))
        pairs = sum(row["pairs"] for row in rows)
        yield (
            f"{_pair_count(pairs)} {where} {' and '.join(names)}, {test} of them with a test split."
        )
    differ = sum(row["labels_differ"] for row in counts)
    if differ:
        yield (
            f"{_pair_count(differ)} with different labels: one label is wrong, or a mask was"
            " drawn on a face."
        )


def _pair_count(pairs: int) -> str:
    return "1 pair of near-duplicates" if pairs == 1 else f"{pairs} pairs of near-duplicates"


def summary_lines(content: Summary) -> Iterator[str]:
    """Yield the counts as a table for a terminal, and the findings."""
    yield from _aligned(counts_table(content))
    if content["findings"]:
        yield ""
        yield from (f"- {finding}" for finding in content["findings"])


def counts_table(content: Summary) -> list[list[str]]:
    """Return the number of faces by data set and split, with a heading first."""
    used = [label for label in LABELS[3] if any(label in d["labels"] for d in content["data"])]
    rows = [["data set", "split", *used]]
    for data in content["data"]:
        for part, counts in data["parts"].items():
            if any(counts.values()):
                rows.append([data["name"], part, *(str(counts.get(each, 0)) for each in used)])
    return rows


def _aligned(rows: list[list[str]]) -> Iterator[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
