"""`python -m training explore`: look at the data before anything is trained on it."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.common.arrays import Pixels
from edge.common.errors import UserError
from training.common.contact_sheet import contact_sheet
from training.data.crops import read_picture
from training.data.datasets import LABELS, read_datasets
from training.data.picture_style import separabilities
from training.exploration.dataset_stats import DataSetStats, collect_stats
from training.exploration.exploration_plots import (
    draw_balance,
    draw_separations,
    draw_sizes,
    draw_style,
    styles_of,
)
from training.exploration.findings import summary, summary_lines
from training.exploration.html_report import report_html
from training.exploration.near_duplicates import Pair, find_pairs

#: Pairs on the contact sheet of near copies, five to a row.
MAX_PAIRS_SHOWN = 30
SHEET_QUALITY = 88  # of its JPEG
MAX_CAPTION_LETTERS = 16  # of a caption, below a picture


@dataclass(frozen=True)
class ReportPictures:
    """The files of a report, beside it: plots, and contact sheets with their titles."""

    plots: list[tuple[str, str]]
    sheets: list[tuple[str, str]]


def add_explore_options(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m training explore`, but for `--data`."""
    parser.add_argument(
        "--classes",
        type=int,
        choices=sorted(LABELS),
        default=max(LABELS),
        help="3: with masks worn incorrectly, where there are some (default: %(default)s)",
    )
    parser.add_argument(
        "--limit",
        type=_at_least_one,
        help="faces per data set, evenly spread; all is a minute for 10,000, and comparing"
        " more than 50,000 takes long",
    )
    parser.add_argument("--seed", type=int, default=1, help="which faces the sheets show")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/explore"),
        metavar="DIR",
        help="where report.html, its pictures and explore.json go (default: %(default)s)",
    )
    parser.set_defaults(run=run_explore, stopped="stopped; no report was written")


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def run_explore(options: argparse.Namespace) -> int:
    """Read the data, write the report, and say in short what it says."""
    datasets = read_datasets(options.data, LABELS[options.classes])
    _make_private_folder(options.out)
    all_seen = [collect_stats(data, options.limit, options.seed) for data in datasets]
    pairs = find_pairs([each for seen in all_seen for each in seen.prints])
    told = _separability_rows(all_seen)
    pictures = _draw(options.out, all_seen, pairs, told)
    found = summary(all_seen, pairs, told)
    (options.out / "explore.json").write_text(json.dumps(found, indent=1) + "\n")
    report = options.out / "report.html"
    report.write_text(report_html(found, pictures.plots, pictures.sheets), encoding="utf-8")
    sys.stdout.write("\n".join(summary_lines(found)) + f"\n\nreport: {report}\n")
    return 0


def _make_private_folder(out: Path) -> None:
    """The folder, kept out of any git repository that it may lie in: it shows people."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / ".gitignore").write_text("*\n")
    except OSError as error:
        raise UserError(f"cannot write into {out}: {error.strerror}") from None


def _separability_rows(all_seen: list[DataSetStats]) -> list[tuple[str, dict[str, float]]]:
    """By data set and pair of labels, and over all data, `style.separations`."""
    rows = []
    for first, second in itertools.combinations(LABELS[3], 2):
        groups = [(seen.data.name, [seen]) for seen in all_seen]
        if len(all_seen) > 1:
            groups.append(("all data", all_seen))
        for name, members in groups:
            a, b = ([s for seen in members for s in styles_of(seen, x)] for x in (first, second))
            found = separabilities(a, b)
            if found:
                rows.append((f"{name}: {first} / {second}", found))
    return rows


def _draw(
    out: Path,
    all_seen: list[DataSetStats],
    pairs: list[Pair],
    told: list[tuple[str, dict[str, float]]],
) -> ReportPictures:
    plots = [("balance.png", "Balance"), ("sizes.png", "Sizes")]
    draw_balance(out / "balance.png", all_seen)
    draw_sizes(out / "sizes.png", all_seen)
    if any(styles_of(seen, label) for seen in all_seen for label in LABELS[3]):
        plots.append(("style.png", "Style"))
        draw_style(out / "style.png", all_seen)
    if told:
        plots.append(("told-by-style.png", "What style alone tells"))
        draw_separations(out / "told-by-style.png", told)
    sheets = []
    for number, seen in enumerate(all_seen):
        for label, shown in sorted(seen.shown.items()):
            file = f"faces-{number}-{_file_name_part(seen.data.name)}-{label}.jpg"
            names = [[text[:MAX_CAPTION_LETTERS]] for _, text in shown]
            sheet = contact_sheet([face for face, _ in shown], names)
            _save(out / file, sheet)
            sheets.append((file, f"{seen.data.name}: {label}"))
    if pairs:
        _save(out / "near-copies.jpg", _pairs_sheet(pairs))
        sheets.append(("near-copies.jpg", "Near copies, two by two"))
    return ReportPictures(plots, sheets)


def _file_name_part(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name)


def _save(path: Path, sheet: Pixels) -> None:
    options = [cv2.IMWRITE_JPEG_QUALITY, SHEET_QUALITY]
    _, code = cv2.imencode(".jpg", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), options)
    path.write_bytes(code.tobytes())


def _pairs_sheet(pairs: list[Pair]) -> Pixels:
    """Up to `MAX_PAIRS_SHOWN` pairs, each side by side, evenly spread over the kinds of pair."""
    pictures, captions = [], []
    for number, pair in enumerate(_interleave_kinds(pairs), start=1):
        for seen in (pair.one, pair.two):
            image = read_picture(seen.path)
            pictures.append(np.zeros((9, 9, 3), np.uint8) if image is None else image)
            lines = f"{number}: {seen.path.name}", seen.data, f"{seen.split} {seen.label or ''}"
            captions.append([line[:MAX_CAPTION_LETTERS] for line in lines])
    return contact_sheet(pictures, captions)


def _interleave_kinds(pairs: list[Pair]) -> list[Pair]:
    """The first of each two places, then the second of each, and so on."""
    by_places = itertools.groupby(pairs, key=lambda pair: pair.places)
    rounds = itertools.zip_longest(*(list(group) for _, group in by_places))
    return [p for each in rounds for p in each if p is not None][:MAX_PAIRS_SHOWN]
