"""`python -m training frontier`: compare settings of the face detector.

Every combination of the settings is run over annotated scenes with the daemon's own code, to
measure faces found, false boxes and CPU time. Then contenders from the Pareto front are run through
the daemon's pipeline on clips.
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
from edge.common.file_access import write_problem
from edge.common.paths import demo_clip, shipped_model
from edge.common.text_files import read_text
from edge.config.settings import CameraSettings
from training.data.command_options import add_data_option, add_seed_option, positive_int
from training.data.splits import Split
from training.detector_sweep.clips import ClipResult, play_clips
from training.detector_sweep.grid import (
    CASCADES,
    MIN_FACES,
    MIN_SCORES,
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
    scenes_in,
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

DEMO, ALL = "demo", "all"
#: The right number of alerts in the demo clip, which shows two people without a mask.
DEFAULT_EXPECTED = {demo_clip().name: 2}
CLIP_SUFFIXES = frozenset({".mp4", ".mkv", ".avi", ".mov", ".webm", ".m4v"})


def add_frontier_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `python -m training frontier`."""
    add_data_option(parser, only_scenes=True)
    parser.add_argument(
        "--split",
        choices=[ALL, *Split],
        default=Split.TEST,
        help="use the photographs of this split, because the network was trained on those of the"
        " train split (default: %(default)s)",
    )
    _add_clip_options(parser)
    _add_grid_options(parser)
    parser.add_argument(
        "--limit",
        type=positive_int,
        metavar="NUMBER",
        help="search only this many randomly drawn photographs with the whole grid (default: all)",
    )
    parser.add_argument(
        "--confirm",
        type=positive_int,
        metavar="NUMBER",
        help="measure the contenders again on this many of the photographs that --limit left out"
        " (default: none)",
    )
    add_seed_option(parser, "which photographs are drawn and in what order configurations run")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write all figures to this file (default: none)"
    )
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="FILE.png",
        help="write a plot of bare faces found against CPU time to this file (default: none)",
    )
    parser.set_defaults(run=run_frontier)


def _add_clip_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--clips",
        nargs="+",
        action="extend",
        default=[],
        metavar="CLIP",
        help="videos or folders of videos to run the contenders on through the daemon's pipeline;"
        f" {DEMO} names the bundled clip; the option may be repeated (default: none)",
    )
    parser.add_argument(
        "--expected",
        type=Path,
        metavar="FILE",
        help="JSON file with the right number of alerts of each clip, such as"
        ' {"hall.mp4": 1} (default: only the number of the bundled clip is known)',
    )


def _add_grid_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cascades",
        nargs="+",
        default=CASCADES,
        metavar="NAME",
        help="cascades, by the short name of one of OpenCV's or as the path of a file"
        f" (default: {_spaced(CASCADES)})",
    )
    parser.add_argument(
        "--scales",
        type=float,
        nargs="+",
        default=SCALES,
        metavar="NUMBER",
        help=f"scale factors between successive sizes of the search (default: {_spaced(SCALES)})",
    )
    parser.add_argument(
        "--neighbors",
        type=int,
        nargs="+",
        default=NEIGHBORS,
        metavar="NUMBER",
        help=f"minimum numbers of neighbouring hits (default: {_spaced(NEIGHBORS)})",
    )
    parser.add_argument(
        "--widths",
        type=int,
        nargs="+",
        default=WIDTHS_PX,
        metavar="PIXELS",
        help=f"widths to which pictures are scaled down (default: {_spaced(WIDTHS_PX)})",
    )
    parser.add_argument(
        "--min-faces",
        type=float,
        nargs="+",
        default=MIN_FACES,
        metavar="SHARE",
        help="narrowest faces searched for, as shares of the picture's width"
        f" (default: {_spaced(MIN_FACES)})",
    )

    parser.add_argument(
        "--min-scores",
        type=float,
        nargs="+",
        default=MIN_SCORES,
        metavar="SCORE",
        help="smallest scores of a face that the network finds, beside that of its card"
        f" (default: {_spaced(MIN_SCORES)})",
    )


def _spaced(values: Iterable[object]) -> str:
    return " ".join(map(str, values))


def run_frontier(options: argparse.Namespace) -> int:
    """Print the tables, and write the files that were requested.

    Raises UserError for invalid input.
    """
    configurations = grid(
        options.cascades,
        options.scales,
        options.widths,
        options.min_faces,
        options.neighbors,
        options.min_scores,
    )
    for path in (options.json, options.plot):
        if path is not None:
            _check_writable(path)  # so that an unwritable path fails before the search
    clips, expected = _clips(options.clips), _expected(options.expected)
    classifier = Classifier(shipped_model(), two_labels=True) if clips else None
    split = None if options.split == ALL else Split(options.split)
    everything = read_scenes(options.data, None)
    total = len(everything)
    scenes, other_scenes = draw_scenes(scenes_in(everything, split), options.limit, options.seed)
    tried = configuration_metrics(search_scenes(scenes, configurations, options.seed, total))
    front = pareto_front(tried)
    chosen = contenders(front, tried)
    _print_sweep(tried, front, chosen, len(scenes))
    confirmed: list[ConfigurationMetrics] = []
    if options.confirm is not None:
        confirmation_scenes, _ = draw_scenes(other_scenes, options.confirm, options.seed)
        confirmed = _confirm(confirmation_scenes, chosen, options.seed, total)
    played: dict[Configuration, list[ClipResult]] = {}
    reference_results: list[ClipResult] = []
    if classifier is not None:
        reference, fps = reference_configuration(configurations), CameraSettings().fps
        entrants = [each.configuration for each in chosen]
        played, reference_results = play_clips(clips, entrants, reference, classifier, fps)
        _print_clips(played, reference_results, expected, f"{reference.name} on every frame", fps)
    if options.json is not None:
        record = sweep_record(tried, front, confirmed, played, reference_results)
        _write(options.json, json.dumps(record, indent=1) + "\n")
    if options.plot is not None:
        draw_front(options.plot, tried, front)
    return 0


def _print_sweep(
    tried: Sequence[ConfigurationMetrics],
    front: Sequence[ConfigurationMetrics],
    chosen: Sequence[ConfigurationMetrics],
    pictures: int,
) -> None:
    _print(
        f"Faces of {MIN_WIDTH_PX:g} px and wider in {pictures} pictures. Found: IoU above"
        f" {MIN_IOU:g}. Time: CPU time on one thread, relative to {shipped().name}."
        " *: on the Pareto front. <: shipped.",
        sweep_table(tried, front),
    )
    _print("The Pareto front, with 95% intervals by picture:", front_table(front))
    _print(
        "Contenders: bare faces found, by the share of the picture's width that they take:",
        size_table(chosen),
    )


def _print_clips(
    played: Mapping[Configuration, Sequence[ClipResult]],
    reference_results: Sequence[ClipResult],
    expected: Mapping[str, int],
    reference: str,
    fps: float,
) -> None:
    _print(
        f"Contenders on clips at {fps:g} frames a second, relative to {reference}:",
        clips_table(played, reference_results, expected),
    )
    _print(
        "Each person: how much later than the reference a contender first finds them, and in"
        " which share of the frames it finds them:",
        people_table(played, reference_results),
    )


def _confirm(
    scenes: Sequence[Scene], rows: Sequence[ConfigurationMetrics], seed: int, total: int
) -> list[ConfigurationMetrics]:
    """Measure the contenders on scenes that they were not chosen on, because the best of many
    configurations is partly the best by chance.
    """
    if not scenes:
        raise UsageError(
            "--confirm needs photographs that the grid was not run on: give a lower --limit"
        )
    again = configuration_metrics(
        search_scenes(scenes, [each.configuration for each in rows], seed, total)
    )
    _print(f"The contenders on {len(scenes)} other pictures:", front_table(again))
    _print(
        "Bare faces found in these pictures, by the share of the picture's width that they take:",
        size_table(again),
    )
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
        return {**DEFAULT_EXPECTED, **msgspec.json.decode(read_text(path), type=dict[str, int])}
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:  # includes the errors of msgspec and of the encoding
        raise UsageError(
            f'{path} must contain the alerts by clip, such as {{"hall.mp4": 1}}: {error}'
        ) from None


def _check_writable(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {write_problem(error)}") from None
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise UsageError(f"cannot write {path}: it is a folder, or its folder is not writable")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {path}: {write_problem(error)}") from None


def _print(heading: str, lines: Iterable[str]) -> None:
    sys.stdout.write("\n".join([heading, "", *lines, "", ""]))
    sys.stdout.flush()
