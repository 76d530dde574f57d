"""The report on data sets as an HTML page that needs no network; its pictures are beside it."""

from __future__ import annotations

import html

from training.exploration.findings import Summary, counts_table

MAX_FILES_LISTED = 100

STYLESHEET = """
:root { color-scheme: light }
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff;
  max-width: 60rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.6rem; margin: .5rem 0 } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem }
.private { border-left: .3rem solid #D55E00; background: #fdf1e9; padding: .5rem 1rem }
.scroll { overflow-x: auto } img { max-width: 100%; height: auto; display: block }
@media (max-width: 45rem) { .scroll img { max-width: none; width: 45rem } }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .2rem .7rem .2rem 0; border-bottom: 1px solid #ddd; text-align: left;
  white-space: nowrap } td.number, th.number { text-align: right }
li { margin: .4rem 0 } code { overflow-wrap: anywhere } small { color: #555 }
"""
PRIVATE = (
    "This folder shows people's faces, from data sets whose terms may forbid passing them on. It"
    " is only for the person who trains the model: do not publish it. A .gitignore keeps it out of"
    " git."
)
WHAT_STYLE_IS = (
    "Style is measured on the upper half of each face, which no mask covers, and on the size of the"
    " picture. Where these numbers reveal the label, a model can be right without having seen"
    " a mask, and will then be wrong at a door."
)
PLOT_NOTES = {
    "balance.png": "",
    "sizes.png": "A face at a door is about 30 to 150 px wide.",
    "style.png": WHAT_STYLE_IS
    + " Boxes: 25th to 75th percentile; whiskers: 5th to 95th percentile.",
    "told-by-style.png": "Each number is the probability that the measure puts a face of the first"
    " label and a face of the second label in the right order (area under the ROC curve, at least"
    " 0.5): 0.5 is chance. The model sees crops of one size, so it sees brightness, colour and"
    " sharpness directly, and the original size only as blur and distortion. Remedies: mix data"
    " sets, augment the style, and evaluate a model on photographs of another origin.",
}


def report_html(
    summary: Summary, plots: list[tuple[str, str]], sheets: list[tuple[str, str]]
) -> str:
    """Return the page.

    `plots` and `sheets` are pairs of the name of a file in the same folder and its title.
    """
    names = ", ".join(data["name"] for data in summary["data"])
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="robots" content="noindex">',
        f"<title>Data: {html.escape(names)}</title><style>{STYLESHEET}</style></head><body>",
        f"<h1>Data sets: {html.escape(names)}</h1>",
        f'<p class="private">{html.escape(PRIVATE)}</p>',
        *_section("Findings", _list(summary["findings"] or ["None."])),
        *_section("Counts", _table(counts_table(summary), numbers_from=2) + _details(summary)),
    ]
    for file, title in plots:
        parts += _section(title, _paragraph(PLOT_NOTES[file]) + _image(file, title))
    parts += _section("Near-duplicates", _near_duplicates(summary))
    for file, title in sheets:
        parts += _section(title, _image(file, title))
    parts += _section("Unreadable pictures", _unreadable(summary))
    return "\n".join([*parts, "</body></html>", ""])


def _section(title: str, body: str) -> list[str]:
    return [f"<h2>{html.escape(title)}</h2>", body]


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>" if text else ""


def _list(items: list[str]) -> str:
    return "<ul>" + "".join(f"<li>{html.escape(item)}</li>" for item in items) + "</ul>"


def _image(file: str, title: str) -> str:
    shown = f'<img src="{file}" alt="{html.escape(title)}" loading="lazy">'
    return f'<div class="scroll"><a href="{file}">{shown}</a></div>'


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


def _details(summary: Summary) -> str:
    items = []
    for data in summary["data"]:
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


def _near_duplicates(summary: Summary) -> str:
    if not summary["near_copies"]:
        return _paragraph("None.")
    rows = [["between", "and", "pairs", "pictures", "pairs with different labels"]]
    rows += [
        [*row["between"], str(row["pairs"]), str(row["pictures"]), str(row["labels_differ"])]
        for row in summary["near_copies"]
    ]
    note = _paragraph(
        "Training leaves out pictures of the train split that are near-duplicates of a validation"
        " or test picture. Metrics that others report on a test split that shares pictures with"
        " the train split are too optimistic."
    )
    first = [f"{pair['one']} = {pair['two']}" for pair in summary["first_pairs"]]
    listed = f"<details><summary>The first {len(first)} pairs</summary>{_list(first)}</details>"
    return note + _table(rows, numbers_from=2) + listed


def _unreadable(summary: Summary) -> str:
    files = [path for data in summary["data"] for path in data["unreadable"]]
    if not files:
        return _paragraph("None.")
    more = [f"and {len(files) - MAX_FILES_LISTED} more"] if len(files) > MAX_FILES_LISTED else []
    return _list(files[:MAX_FILES_LISTED] + more)
