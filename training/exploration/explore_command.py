"""`python -m training explore`: report on data sets before anything is trained on them."""

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
from edge.common.file_access import write_problem
from training.common.contact_sheet import contact_sheet
from training.data.command_options import (
    add_classes_option,
    add_data_option,
    add_limit_option,
    add_seed_option,
)
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

#: Maximum number of pairs on the contact sheet of near-duplicates, five in a row.
MAX_PAIRS_SHOWN = 30
SHEET_QUALITY = 88  # JPEG quality of contact sheets.
MAX_CAPTION_LETTERS = 16  # Longer lines in the captions of pictures are cut.


@dataclass(frozen=True)
class ReportPictures:
    """The plots and the contact sheets of a report, as pairs of file name and title."""

    plots: list[tuple[str, str]]
    sheets: list[tuple[str, str]]


def add_explore_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `python -m training explore`."""
    add_data_option(parser)
    add_classes_option(parser, max(LABELS))
    add_limit_option(
        parser,
        "; 10,000 faces take about a minute, and comparing more than 50,000 pictures takes long",
    )
    add_seed_option(parser, "which faces the contact sheets show")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/explore"),
        metavar="DIR",
        help="folder for report.html, its pictures and explore.json (default: %(default)s)",
    )
    parser.set_defaults(run=run_explore, interrupted="stopped; no report was written")


def run_explore(options: argparse.Namespace) -> int:
    """Read the data, write the report, and print a summary."""
    datasets = read_datasets(options.data, LABELS[options.classes])
    _make_private_folder(options.out)
    all_stats = [collect_stats(data, options.limit, options.seed) for data in datasets]
    pairs = find_pairs([each for stats in all_stats for each in stats.fingerprints])
    separability_rows = _separability_rows(all_stats)
    pictures = _draw(options.out, all_stats, pairs, separability_rows)
    summary_data = summary(all_stats, pairs, separability_rows)
    (options.out / "explore.json").write_text(json.dumps(summary_data, indent=1) + "\n")
    report = options.out / "report.html"
    report.write_text(report_html(summary_data, pictures.plots, pictures.sheets), encoding="utf-8")
    sys.stdout.write("\n".join(summary_lines(summary_data)) + f"\n\nreport: {report}\n")
    return 0


def _make_private_folder(out: Path) -> None:
    """Create the folder with a .gitignore, because the report shows people and must not be
    committed.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / ".gitignore").write_text("*\n")
    except OSError as error:
        raise UserError(f"cannot write to {out}: {write_problem(error)}") from None


def _separability_rows(all_stats: list[DataSetStats]) -> list[tuple[str, dict[str, float]]]:
    """Return `picture_style.separabilities` of each pair of labels, by data set and for
    all data.
    """
    rows = []
    for first, second in itertools.combinations(LABELS[3], 2):
        groups = [(stats.data.name, [stats]) for stats in all_stats]
        if len(all_stats) > 1:
            groups.append(("all data", all_stats))
        for name, members in groups:
            a, b = ([s for stats in members for s in styles_of(stats, x)] for x in (first, second))
            values = separabilities(a, b)
            if values:
                rows.append((f"{name}: {first} / {second}", values))
    return rows


def _draw(
    out: Path,
    all_stats: list[DataSetStats],
    pairs: list[Pair],
    separability_rows: list[tuple[str, dict[str, float]]],
) -> ReportPictures:
    plots = [("balance.png", "Balance"), ("sizes.png", "Sizes")]
    draw_balance(out / "balance.png", all_stats)
    draw_sizes(out / "sizes.png", all_stats)
    if any(styles_of(stats, label) for stats in all_stats for label in LABELS[3]):
        plots.append(("style.png", "Style"))
        draw_style(out / "style.png", all_stats)
    if separability_rows:
        plots.append(("told-by-style.png", "Labels predicted from style alone"))
        draw_separations(out / "told-by-style.png", separability_rows)
    sheets = []
    for number, stats in enumerate(all_stats):
        for label, shown in sorted(stats.sheet_faces.items()):
            file = f"faces-{number}-{_file_name_part(stats.data.name)}-{label}.jpg"
            names = [[text[:MAX_CAPTION_LETTERS]] for _, text in shown]
            sheet = contact_sheet([face for face, _ in shown], names)
            _save(out / file, sheet)
            sheets.append((file, f"{stats.data.name}: {label}"))
    if pairs:
        _save(out / "near-copies.jpg", _pairs_sheet(pairs))
        sheets.append(("near-copies.jpg", "Near-duplicates, in pairs"))
    return ReportPictures(plots, sheets)


def _file_name_part(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name)


def _save(path: Path, sheet: Pixels) -> None:
    options = [cv2.IMWRITE_JPEG_QUALITY, SHEET_QUALITY]
    _, code = cv2.imencode(".jpg", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), options)
    path.write_bytes(code.tobytes())


def _pairs_sheet(pairs: list[Pair]) -> Pixels:
    """Return a sheet of up to `MAX_PAIRS_SHOWN` pairs, evenly spread over the kinds of pairs."""
    pictures, captions = [], []
    for number, pair in enumerate(_interleave_kinds(pairs), start=1):
        for picture in (pair.one, pair.two):
            image = read_picture(picture.path)
            pictures.append(np.zeros((9, 9, 3), np.uint8) if image is None else image)
            lines = (
                f"{number}: {picture.path.name}",
                picture.data,
                f"{picture.split} {picture.label or ''}",
            )
            captions.append([line[:MAX_CAPTION_LETTERS] for line in lines])
    return contact_sheet(pictures, captions)


def _interleave_kinds(pairs: list[Pair]) -> list[Pair]:
    """Return the first pair of each kind (between the same two splits), then the second pair of
    each kind, and so on.
    """
    by_places = itertools.groupby(pairs, key=lambda pair: pair.places)
    rounds = itertools.zip_longest(*(list(group) for _, group in by_places))
    return [p for each in rounds for p in each if p is not None][:MAX_PAIRS_SHOWN]
