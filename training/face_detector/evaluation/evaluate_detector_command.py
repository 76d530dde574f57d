"""`python -m training evaluate-detector`: measure face detectors on pictures with boxed faces."""

from __future__ import annotations

import argparse
import json
import logging
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.common.errors import UsageError, UserError
from edge.common.file_access import write_problem
from edge.detection.point_grid import Detections
from edge.inference.interpreter import RUNTIMES
from training.data.command_options import positive_float, positive_int
from training.data.progress import with_progress
from training.data.splits import Split
from training.evaluation.mistakes import make_ignored_folder, refuse_project_folder
from training.face_detector.evaluation.detector_evaluation import (
    DetectorEvaluation,
    EvaluationPicture,
    add_groups,
    evaluate_detections,
    evaluation_pictures,
    find_all,
    missed_faces,
)
from training.face_detector.evaluation.detector_report import (
    report_lines,
    report_record,
    write_misses,
    write_plots,
)
from training.face_detector.evaluation.search_detectors import HAAR, load_detector
from training.face_detector.evaluation.tilted_pictures import find_tilted
from training.face_detector.pictures.boxed_pictures_option import add_boxed_data_option
from training.face_detector.pictures.decodable import decodable
from training.face_detector.pictures.read_pictures import of_split, read_boxed_pictures

log = logging.getLogger(__name__)

ALL = "all"
DEFAULT_MIN_WIDTH_PX = 40.0
#: Misses are shown at the threshold that gives this many false boxes in 100 pictures, which is one
#: of `training.face_detector.evaluation.detection_metrics.FALSE_BOXES`.
MISSES_AT = 3


def add_evaluate_detector_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `python -m training evaluate-detector`."""
    add_boxed_data_option(parser)
    parser.add_argument(
        "--detector",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help=f"detectors to compare: {HAAR} (the daemon's cascade), a .keras or .tflite file of"
        " `training detector`, YuNet's .onnx, or BlazeFace's .tflite; the option may be repeated"
        f" (default: {HAAR})",
    )
    parser.add_argument(
        "--runtime",
        choices=[name for name, _ in RUNTIMES],
        help="runtime for .tflite files (default: the first of these that works here)",
    )
    add_choice_options(parser)
    parser.add_argument(
        "--tilt",
        type=positive_float,
        nargs="+",
        default=[],
        metavar="DEGREES",
        help="also measure copies of the pictures that are turned by these angles (default: none)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="write evaluation.json and plots to this folder (default: write none)",
    )
    parser.add_argument(
        "--misses",
        type=Path,
        metavar="DIR",
        help="write a contact sheet for each detector of the faces that it misses with"
        f" {MISSES_AT} false boxes in 100 pictures to this folder; it shows people, so the folder"
        " must be outside the project or ignored by git (default: write none)",
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON per detector")
    parser.set_defaults(run=run_evaluate_detector)


def add_choice_options(parser: argparse.ArgumentParser) -> None:
    """Add `--split`, `--min-width` and `--limit`, which choose pictures and faces."""
    parser.add_argument(
        "--split",
        choices=[ALL, *Split],
        default=Split.TEST,
        help="evaluate the pictures of this split (default: %(default)s)",
    )
    parser.add_argument(
        "--min-width",
        type=positive_float,
        default=DEFAULT_MIN_WIDTH_PX,
        metavar="PIXELS",
        help="ignore narrower faces, in pixels of their picture (default: %(default)g)",
    )
    parser.add_argument(
        "--limit",
        type=positive_int,
        metavar="NUMBER",
        help="use at most this many pictures, evenly spread over all (default: all)",
    )


def run_evaluate_detector(options: argparse.Namespace) -> int:
    """Print the figures of each detector, and write what was requested."""
    names = options.detector or [HAAR]
    _check(options, names)
    measured = chosen_pictures(options)
    evaluations = []
    for name in names:
        detector = load_detector(name, options.runtime)
        found = find_all(detector, with_progress(measured, detector.name, "picture"))
        evaluation = evaluate_detections(detector.name, found, measured)
        turning = with_progress(measured if options.tilt else [], "turned pictures", "picture")
        tilted = find_tilted(detector, turning, options.tilt)
        evaluation = add_groups(
            evaluation, {f"tilted by {t.degrees:g}°": (t.found, t.truths) for t in tilted}
        )
        evaluations.append(evaluation)
        _print(evaluation, options.json)
        if options.misses is not None:
            _write_misses(options.misses, evaluation, found, measured)
    if options.out is not None:
        _write(options.out, evaluations)
    return 0


def _check(options: argparse.Namespace, names: Sequence[str]) -> None:
    suffixes = {Path(name).suffix for name in names}
    if {".keras", ".tflite"} <= suffixes:
        raise UsageError(
            "TensorFlow and a TFLite runtime cannot be loaded together: evaluate .keras and .tflite"
            " detectors in two runs"
        )
    if options.misses is not None:
        refuse_project_folder(options.misses, "--misses")


def chosen_pictures(options: argparse.Namespace) -> list[EvaluationPicture]:
    """Return the pictures of `--data` that the options of `add_choice_options` choose.

    Raises UserError if there is no picture, or no face that counts.
    """
    pictures = read_boxed_pictures(options.data)
    chosen = pictures if options.split == ALL else of_split(pictures, Split(options.split))
    if not chosen:
        raise UsageError(
            f"the {options.split} split of all data together has no picture: give --split all"
        )
    if options.limit is not None and options.limit < len(chosen):
        chosen = [chosen[i * len(chosen) // options.limit] for i in range(options.limit)]
    chosen = decodable(with_progress(chosen, "reading", "picture"), pictures)
    measured = evaluation_pictures(with_progress(chosen, "measuring", "picture"), options.min_width)
    if not any(each.counted.any() for each in measured):
        raise UserError(
            f"no face in these {len(measured)} pictures is at least {options.min_width:g} px wide:"
            " give a lower --min-width"
        )
    return measured


def _print(evaluation: DetectorEvaluation, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(report_record(evaluation)) + "\n")
    else:
        sys.stdout.write("\n".join([*report_lines(evaluation), "", ""]))
    sys.stdout.flush()


def _write_misses(
    folder: Path,
    evaluation: DetectorEvaluation,
    found: Sequence[Detections],
    pictures: Sequence[EvaluationPicture],
) -> None:
    missed = missed_faces(found, pictures, evaluation.thresholds[MISSES_AT])
    if not missed:
        log.info("%s misses no face", evaluation.detector)
        return
    make_ignored_folder(folder)
    path = folder / f"misses-{re.sub(r'[^A-Za-z0-9]+', '-', evaluation.detector).strip('-')}.png"
    write_misses(path, missed, pictures)
    log.info("%s misses %d faces, shown in %s", evaluation.detector, len(missed), path)


def _write(folder: Path, evaluations: Sequence[DetectorEvaluation]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        record = [report_record(each) for each in evaluations]
        (folder / "evaluation.json").write_text(json.dumps(record, indent=1) + "\n")
        write_plots(folder, evaluations)
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {write_problem(error)}") from None
    log.info("wrote %s", folder)
