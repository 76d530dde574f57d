"""What was seen of the data, for a person and for machines."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from training.crops import CORRUPT_SHARE, NARROWEST_EVALUATED_PX
from training.datasets import LABELS
from training.explore_plots import styles_of
from training.layouts import incorrect_kind
from training.near_copies import Pair, place, shared
from training.observe import Seen
from training.splits import Split
from training.style import MEASURES

#: From here on a measure tells labels apart well enough that a model would use it.
TELLS = 0.70
#: One label this many times as frequent as another.
UNEVEN = 3.0
PAIRS_LISTED, FILES_LISTED = 100, 100

Found = dict[str, Any]


def summary(
    all_seen: list[Seen], pairs: list[Pair], told: list[tuple[str, dict[str, float]]]
) -> Found:
    """Everything in the report, as plain values: `explore.json`."""
    found: Found = {
        "data": [_data(seen) for seen in all_seen],
        "told_by_style": [{"of": name, **_rounded(each)} for name, each in told],
        "near_copies": [
            {
                "between": list(each.places),
                "pairs": each.pairs,
                "pictures": each.pictures,
                "labels_differ": each.labels_differ,
            }
            for each in shared(pairs)
        ],
        "first_pairs": [
            {
                "one": str(pair.one.path),
                "two": str(pair.two.path),
                "between": [place(pair.one), place(pair.two)],
                "labels": [pair.one.label, pair.two.label],
            }
            for pair in pairs[:PAIRS_LISTED]
        ],
    }
    return {"findings": list(_findings(found)), **found}


def _data(seen: Seen) -> Found:
    faces = seen.faces
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
        "name": seen.data.name,
        "folder": str(seen.data.root),
        "layout": seen.data.layout,
        "left_out_by_limit": seen.left,
        "pictures": len(pictures),
        "faces": len(faces),
        "labels": {label: sum(f.sample.label == label for f in faces) for label in labels},
        "parts": {
            str(split): {label: counts[str(split), label] for label in labels} for split in Split
        },
        "incorrect_kinds": dict(sorted(kinds.items())),
        "unreadable": [str(path) for path in seen.unreadable],
        "unreadable_share": len(seen.unreadable) / (len(seen.unreadable) + len(pictures)),
        "picture_px": {
            side: _quantiles([size[column] for size in pictures.values()])
            for column, side in enumerate(("width", "height"))
        },
        "annotated_face_width_px": _quantiles(boxed) if boxed else None,
        "too_narrow_share": float(np.mean(np.array(boxed) < NARROWEST_EVALUATED_PX))
        if boxed
        else 0.0,
        "style": {
            label: {
                measure: _quantiles([getattr(style, measure) for style in styles])
                for measure in MEASURES
            }
            for label in labels
            if (styles := styles_of(seen, label))
        },
    }


def _quantiles(values: list[Any]) -> dict[str, float]:
    low, middle, high = np.quantile(np.array(values, float), (0.05, 0.5, 0.95))
    return _rounded({"p5": float(low), "median": float(middle), "p95": float(high)})


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}


def _findings(found: Found) -> Iterator[str]:
    """What a person should know before training, a sentence each."""
    for data in found["data"]:
        yield from _of_one_set(data)
    for row in found["told_by_style"]:
        best = max(MEASURES, key=lambda measure: row[measure])
        if row["all together"] >= TELLS:
            yield (
                f"{row['of']}: style tells the label. Without looking where a mask would be,"
                f" {best} alone tells the two apart at {row[best]:.2f} and all measures together"
                f" at {row['all together']:.2f} (0.5: not at all, 1: always). A model can learn"
                " that instead of masks: mix sources, augment, and judge it on other photographs."
            )
    for row in found["near_copies"]:
        yield from _of_copies(row)


def _of_one_set(data: Found) -> Iterator[str]:
    name, counts = data["name"], data["labels"]
    if len(counts) == 1:
        yield (
            f"{name}: only {next(iter(counts))}. It needs another data set beside it, and then"
            " the kind of picture tells the label."
        )
    elif max(counts.values()) > UNEVEN * min(counts.values()):
        most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
        ratio = counts[most] / counts[least]
        yield f"{name}: {most} is {ratio:.1f} times as frequent as {least}."
    empty = [part for part, of_part in data["parts"].items() if not any(of_part.values())]
    if empty:
        yield f"{name}: nothing to use for {' and '.join(empty)}."
    if data["unreadable"]:
        share = data["unreadable_share"]
        refused = "training refuses that" if share > CORRUPT_SHARE else "training leaves them out"
        yield f"{name}: {len(data['unreadable'])} pictures ({share:.1%}) are unreadable; {refused}."
    if data["too_narrow_share"] > 0.05:
        yield (
            f"{name}: {data['too_narrow_share']:.0%} of the annotated faces are narrower than"
            f" {NARROWEST_EVALUATED_PX:g} px and count in no figure."
        )


def _of_copies(row: Found) -> Iterator[str]:
    one, two = row["between"]
    differ = f", {row['labels_differ']} of them under two labels" if row["labels_differ"] else ""
    if one != two:
        yield f"{row['pairs']} near copies between {one} and {two}{differ}."
    elif row["labels_differ"]:
        yield f"{row['labels_differ']} near copies within {one} bear two labels."


def as_text(found: Found) -> Iterator[str]:
    """The counts as a table for a terminal, and the findings."""
    yield from _aligned(_counts_table(found))
    if found["findings"]:
        yield ""
        yield from (f"- {finding}" for finding in found["findings"])


def _counts_table(found: Found) -> list[list[str]]:
    used = [label for label in LABELS[3] if any(label in d["labels"] for d in found["data"])]
    rows = [["data set", "part", *used]]
    for data in found["data"]:
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


STYLESHEET = """
:root { color-scheme: light }
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff;
  max-width: 60rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.6rem; margin: .5rem 0 } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem }
.private { border-left: .3rem solid #D55E00; background: #fdf1e9; padding: .5rem 1rem }
.scroll { overflow-x: auto } img { max-width: 100%; height: auto; display: block }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .2rem .7rem .2rem 0; border-bottom: 1px solid #ddd; text-align: left;
  white-space: nowrap } td.number, th.number { text-align: right }
li { margin: .4rem 0 } code { overflow-wrap: anywhere } small { color: #555 }
"""
PRIVATE = (
    "This folder shows people's faces, from data whose terms may forbid passing them on. It is"
    " for whoever trains the model: do not publish it. Git is told to leave it out."
)
WHAT_STYLE_IS = (
    "Measured on the upper half of each face, which no mask covers, and on the size of the"
    " picture. Where these numbers tell the label, a model can be right without having seen"
    " a mask, and wrong in front of a door."
)
ABOUT = {
    "balance.png": "",
    "sizes.png": "A face at a door is some 30 to 150 px wide.",
    "style.png": WHAT_STYLE_IS + " Boxes: the middle half; whiskers: the middle nine tenths.",
    "told-by-style.png": "Each number: how often a face of the first label and one of the second"
    " are put in the right order by it (area under the ROC curve, folded).",
}


def as_html(found: Found, plots: list[tuple[str, str]], sheets: list[tuple[str, str]]) -> str:
    """One page that opens without a network; `plots` and `sheets` are (file beside it, title)."""
    names = ", ".join(data["name"] for data in found["data"])
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="robots" content="noindex">',
        f"<title>Data: {html.escape(names)}</title><style>{STYLESHEET}</style></head><body>",
        f"<h1>A look at {html.escape(names)}</h1>",
        f'<p class="private">{html.escape(PRIVATE)}</p>',
        *_section("What stands out", _list(found["findings"] or ["Nothing."])),
        *_section("Counts", _table(_counts_table(found), numbers_from=2) + _details(found)),
    ]
    for file, title in plots:
        parts += _section(title, _paragraph(ABOUT[file]) + _image(file, title))
    parts += _section("Near copies", _copies(found))
    for file, title in sheets:
        parts += _section(title, _image(file, title))
    parts += _section("Unreadable pictures", _unreadable(found))
    return "\n".join([*parts, "</body></html>", ""])


def _section(title: str, body: str) -> list[str]:
    return [f"<h2>{html.escape(title)}</h2>", body]


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>" if text else ""


def _list(items: list[str]) -> str:
    return "<ul>" + "".join(f"<li>{html.escape(item)}</li>" for item in items) + "</ul>"


def _image(file: str, title: str) -> str:
    return f'<a href="{file}"><img src="{file}" alt="{html.escape(title)}" loading="lazy"></a>'


def _table(rows: list[list[str]], numbers_from: int) -> str:
    lines = []
    for number, row in enumerate(rows):
        tag = "td" if number else "th"
        cells = (
            f"<{tag}{' class=number' if column >= numbers_from else ''}>{html.escape(cell)}</{tag}>"
            for column, cell in enumerate(row)
        )
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f'<div class="scroll"><table>{"".join(lines)}</table></div>'


def _details(found: Found) -> str:
    items = []
    for data in found["data"]:
        text = f"{data['name']}: {data['faces']} faces in {data['pictures']} pictures"
        if data["left_out_by_limit"]:
            text += f" ({data['left_out_by_limit']} faces left out by --limit)"
        width, height = (data["picture_px"][side]["median"] for side in ("width", "height"))
        text += f", usually {width:g}x{height:g} px"
        if data["incorrect_kinds"]:
            kinds = (f"{count} {kind}" for kind, count in data["incorrect_kinds"].items())
            text += f"; masks worn incorrectly, by file name: {', '.join(kinds)}"
        items.append(text + ".")
    return _list(items)


def _copies(found: Found) -> str:
    if not found["near_copies"]:
        return _paragraph("None.")
    rows = [["between", "and", "pairs", "pictures", "labels differ"]]
    rows += [
        [*row["between"], str(row["pairs"]), str(row["pictures"]), str(row["labels_differ"])]
        for row in found["near_copies"]
    ]
    first = [f"{pair['one']} = {pair['two']}" for pair in found["first_pairs"]]
    listed = f"<details><summary>The first {len(first)} pairs</summary>{_list(first)}</details>"
    return _table(rows, numbers_from=2) + listed


def _unreadable(found: Found) -> str:
    files = [path for data in found["data"] for path in data["unreadable"]]
    if not files:
        return _paragraph("None.")
    more = [f"and {len(files) - FILES_LISTED} more"] if len(files) > FILES_LISTED else []
    return _list(files[:FILES_LISTED] + more)
