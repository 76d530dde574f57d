"""`python -m training evaluate-alerts`: face detector and classifier together on photographs."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import msgspec

from edge.classification.classifier import Classifier
from edge.classification.model_card import TWO_LABELS
from edge.classification.unsure import unsure_rule
from edge.common.errors import UsageError, UserError
from edge.common.file_access import write_problem
from edge.common.paths import shipped_model
from edge.config.settings import DetectorSettings, Settings, change
from edge.detection.load_detector import load_detector
from training.common.intervals import Estimate
from training.data.command_options import add_answer_option, share
from training.data.layouts import holds_pictures
from training.data.progress import with_progress
from training.evaluation.mistakes import make_ignored_folder, refuse_project_folder
from training.face_detector.evaluation import search_detectors
from training.face_detector.evaluation.evaluate_detector_command import (
    add_choice_options,
    chosen_pictures,
)
from training.face_detector.evaluation.photograph_alerts import (
    AlertFigures,
    PhotographReadings,
    alert_figures,
    read_photographs,
)
from training.face_detector.pictures.boxed_pictures_option import add_boxed_data_option

log = logging.getLogger(__name__)


def add_evaluate_alerts_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `python -m training evaluate-alerts`."""
    add_boxed_data_option(parser)
    parser.add_argument(
        "--kind",
        choices=["learned", "haar"],
        default="learned",
        help="the daemon's face detector, as in detector.kind (default: %(default)s)",
    )
    parser.add_argument(
        "--detector",
        default="",
        metavar="FILE",
        help="the network's file, as in detector.model (default: the shipped one)",
    )
    parser.add_argument(
        "--min-score",
        type=share,
        metavar="SCORE",
        help="lowest score of a face, as in detector.min_score (default: that of the network's"
        " card)",
    )
    parser.add_argument(
        "--classifier",
        type=Path,
        default=shipped_model(),
        metavar="FILE",
        help="a .tflite classifier (default: the shipped one)",
    )
    add_answer_option(parser, len(TWO_LABELS))
    parser.add_argument(
        "--threshold",
        type=share,
        metavar="SCORE",
        help="alert from this no_mask score on (default: the threshold of the classifier's card)",
    )
    add_choice_options(parser)
    parser.add_argument(
        "--other",
        metavar="FILE",
        help="another detector, as in evaluate-detector; boxes on faces that it finds although"
        " nobody has boxed them are left out (default: none)",
    )
    parser.add_argument(
        "--no-face",
        type=Path,
        metavar="DIR",
        help="write the boxes without a face as crops to DIR/train, DIR/validation and DIR/test, to"
        " train a classifier with --no-face DIR; look at them first, and delete those that show a"
        " face; they may show people, so the folder must be outside the project or ignored by git"
        " (default: write none)",
    )
    parser.add_argument("--json", action="store_true", help="print the figures as a line of JSON")
    parser.set_defaults(run=run_evaluate_alerts)


def run_evaluate_alerts(options: argparse.Namespace) -> int:
    """Print the figures, and write the crops that were requested."""
    if options.no_face is not None:
        _prepare_folder(options.no_face)
    detector = load_detector(_settings(options)).finder
    two_labels = options.classes == len(TWO_LABELS)
    classifier = Classifier(options.classifier, two_labels=two_labels)
    if len(classifier.answer.labels) < options.classes:
        labels = ", ".join(classifier.answer.labels)
        raise UsageError(
            f"--classes {options.classes}: the labels of {options.classifier} are {labels}"
        )
    events = change(Settings(), events={"alert_threshold": options.threshold}).events
    rule = unsure_rule(events, classifier.answer)
    other = None if options.other is None else search_detectors.load_detector(options.other)
    pictures = chosen_pictures(options)
    progress = with_progress(pictures, detector.name, "picture")
    readings = read_photographs(progress, detector, classifier, rule, other)
    figures = alert_figures(readings)
    if options.json:
        sys.stdout.write(json.dumps(msgspec.to_builtins(figures)) + "\n")
    else:
        sys.stdout.write("\n".join(_lines(detector.name, options.classifier, figures)) + "\n")
    sys.stdout.flush()
    if options.no_face is not None:
        _write_crops(options.no_face, readings)
    return 0


def _settings(options: argparse.Namespace) -> DetectorSettings:
    if options.kind == "haar" and (options.detector or options.min_score is not None):
        raise UsageError("--detector and --min-score are for --kind learned")
    changes = {"kind": options.kind, "model": options.detector, "min_score": options.min_score}
    return change(Settings(), detector=changes).detector


def _prepare_folder(folder: Path) -> None:
    """Create the folder for crops; raises UsageError if it holds pictures of an earlier run."""
    refuse_project_folder(folder, "--no-face")
    make_ignored_folder(folder)
    if holds_pictures(folder):
        raise UsageError(f"--no-face {folder} holds pictures already: give a new folder")


def _lines(detector: str, classifier: Path, figures: AlertFigures) -> Iterator[str]:
    yield f"{detector}, {classifier.name}: {figures.pictures} photographs; 95% intervals"
    yield f"  {'faces':<24}{'number':>8}{'found':>22}{'of those, alert':>22}{'unsure':>22}"
    for group, found in figures.found.items():
        if found is not None:
            alerts, unsure = _share(figures.alerts[group]), _share(figures.unsure[group])
            yield f"  {group:<24}{found.count:>8}{_share(found):>22}{alerts:>22}{unsure:>22}"
    yield (
        f"  boxes without a face in 100 photographs: {figures.false_boxes:.1f}, of which"
        f" {figures.false_alerts:.1f} alert and {figures.false_unsure:.1f} are unsure"
    )


def _share(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    return f"{estimate.value:.3f} {estimate.low:.3f}-{estimate.high:.3f}"


def _write_crops(folder: Path, readings: Sequence[PhotographReadings]) -> None:
    count = 0
    for index, each in enumerate(readings):
        picture = each.picture.picture
        inside = folder / picture.split
        for number, reading in enumerate(each.false):
            path = inside / f"{picture.path.stem}-{index}-{number}.jpg"
            try:
                inside.mkdir(exist_ok=True)
                path.write_bytes(cv2.imencode(".jpg", reading.surroundings)[1].tobytes())
            except OSError as error:
                raise UserError(f"cannot write to {folder}: {write_problem(error)}") from None
            count += 1
    log.info("wrote %d boxes without a face to %s", count, folder)
