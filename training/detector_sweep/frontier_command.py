"""`python -m training frontier`: what the Haar detector's settings find, err and cost.

Every combination of the settings is run over annotated scenes, with the daemon's own code;
then those that nothing beats are played through the daemon's pipeline on clips.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from edge.classification.classifier import Classifier
from edge.common.errors import UsageError, UserError
from edge.common.paths import demo_clip, shipped_model
from edge.config.settings import CameraSettings
from training.detector_sweep.clips import ClipResult, play_clips
from training.detector_sweep.grid import (
    CASCADES,
    MIN_FACES,
    NEIGHBORS,
    SCALES,
    WIDTHS_PX,
    Configuration,
    grid,
    reference_configuration,
    shipped,
)
from training.detector_sweep.scenes import (
    MIN_IOU,
    MIN_WIDTH_PX,
    Scene,
    draw_scenes,
    read_scenes,
    search_scenes,
)
from training.detector_sweep.sweep_metrics import (
    ConfigurationMetrics,
    configuration_metrics,
    contenders,
    pareto_front,
)
from training.detector_sweep.sweep_report import (
    clips_table,
    draw_front,
    front_table,
    people_table,
    size_table,
    sweep_record,
    sweep_table,
)

DEMO = "demo"
#: How many alerts the demo clip gives: two people are bare-faced.
DEFAULT_EXPECTED = {demo_clip().name: 2}
CLIP_SUFFIXES = frozenset({".mp4", ".mkv", ".avi", ".mov", ".webm", ".m4v"})


def add_frontier_options(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m training frontier`."""
    add = parser.add_argument
    add(
        "--data",
        type=Path,
        nargs="+",
        action="extend",
        required=True,
        metavar="SCENES",
        help="folders of photographs with every face boxed: images/ and annotations/*.xml",
    )
    add(
        "--clips",
        nargs="+",
        action="extend",
        default=[],
        metavar="CLIP",
        help=f"videos, folders of them, or {DEMO}: the front is played on them",
    )
    add("--expected", type=Path, metavar="FILE", help='alerts by clip: {"hall.mp4": 1}')
    add("--cascades", nargs="+", default=CASCADES, help="short names or files; %(default)s")
    add("--scales", type=float, nargs="+", default=SCALES, help="factors; %(default)s")
    add("--neighbors", type=int, nargs="+", default=NEIGHBORS, help="hits; %(default)s")
    add("--widths", type=int, nargs="+", default=WIDTHS_PX, help="pixels; %(default)s")
    add("--min-faces", type=float, nargs="+", default=MIN_FACES, help="of the width; %(default)s")
    add("--limit", type=_at_least_one, help="try the grid on so many scenes, drawn; default: all")
    add(
        "--confirm",
        type=_at_least_one,
        help="measure the front again on so many of the scenes that --limit left",
    )
    add("--seed", type=int, default=1, help="of what is drawn (default: %(default)s)")
    add("--json", type=Path, metavar="FILE", help="all figures")
    add("--plot", type=Path, metavar="FILE.png", help="bare faces found over time")
    parser.set_defaults(run=run_frontier)


def run_frontier(options: argparse.Namespace) -> int:
    """Print the tables; raises UserError for what cannot be read."""
    tried = grid(
        options.cascades, options.scales, options.widths, options.min_faces, options.neighbors
    )
    for path in (options.json, options.plot):
        if path is not None:
            _check_writable(path)  # before the hours, not after them
    clips, expected = _clips(options.clips), _expected(options.expected)
    classifier = Classifier(shipped_model()) if clips else None
    scenes = read_scenes(options.data)
    first, rest = draw_scenes(scenes, options.limit, options.seed)
    found = configuration_metrics(search_scenes(first, tried, options.seed))
    best = pareto_front(found)
    _print(
        f"Faces from {MIN_WIDTH_PX:g} px on in {len(first)} pictures; found: overlap (IoU) over"
        f" {MIN_IOU:g}; time: CPU on one thread against {shipped().name};"
        " *: front, <: shipped.",
        sweep_table(found, best),
    )
    _print("The front, with 95% intervals by picture:", front_table(best))
    rows = contenders(best, found)
    _print("Bare faces found, by their share of the picture's width:", size_table(rows))
    confirmed: list[ConfigurationMetrics] = []
    if options.confirm is not None:
        others, _ = draw_scenes(rest, options.confirm, options.seed)
        confirmed = _confirm(others, rows, options.seed)
    played: dict[Configuration, list[ClipResult]] = {}
    thorough: list[ClipResult] = []
    if classifier is not None:
        reference, fps = reference_configuration(tried), CameraSettings().fps
        entrants = [each.configuration for each in rows]
        played, thorough = play_clips(clips, entrants, reference, classifier, fps)
        _print(
            f"Clips at {fps:g} frames a second, against {reference.name} on every frame:",
            clips_table(played, thorough, expected),
        )
        _print(
            "Who is first seen how much later, and in which share:", people_table(played, thorough)
        )
    if options.json is not None:
        record = sweep_record(found, best, confirmed, played, thorough)
        _write(options.json, json.dumps(record, indent=1) + "\n")
    if options.plot is not None:
        draw_front(options.plot, found, best)
    return 0


def _confirm(
    scenes: Sequence[Scene], rows: Sequence[ConfigurationMetrics], seed: int
) -> list[ConfigurationMetrics]:
    """The front's figures on scenes that did not choose it: the best of many is also lucky."""
    if not scenes:
        raise UsageError("--confirm needs scenes that the grid was not tried on: lower --limit")
    again = configuration_metrics(
        search_scenes(scenes, [each.configuration for each in rows], seed)
    )
    _print(f"The same on {len(scenes)} other pictures:", front_table(again))
    _print("By share of the picture's width:", size_table(again))
    return again


def _clips(named: Sequence[str]) -> list[Path]:
    clips: list[Path] = []
    for name in named:
        path = Path(name)
        if name == DEMO:
            clips.append(demo_clip())
        elif path.is_dir():
            inside = [p for p in sorted(path.iterdir()) if p.suffix.lower() in CLIP_SUFFIXES]
            if not inside:
                raise UsageError(f"the folder {path} holds no clip")
            clips += inside
        elif path.is_file():
            clips.append(path)
        else:
            raise UsageError(f"no such clip or folder: {path}")
    return clips


def _expected(path: Path | None) -> Mapping[str, int]:
    if path is None:
        return DEFAULT_EXPECTED
    try:
        return {**DEFAULT_EXPECTED, **msgspec.json.decode(path.read_bytes(), type=dict[str, int])}
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise UsageError(
            f'{path} should say alerts by clip, as {{"hall.mp4": 1}}: {error}'
        ) from None


def _check_writable(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise UsageError(f"cannot write {path}: a folder, or in one that cannot be written to")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None


def _print(heading: str, lines: Iterable[str]) -> None:
    sys.stdout.write("\n".join([heading, "", *lines, "", ""]))
    sys.stdout.flush()


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number
