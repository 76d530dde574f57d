"""`python -m training thresholds`: choose a model's alert threshold and its unsure scores anew.

`train` chooses them at the end of a run. This command chooses them for a model that is trained
already: on other pictures, or by the rule of a later version. A model of three labels has
thresholds for the answer with all labels and for the answer with two of them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edge.classification.model_card import TWO_LABELS, Thresholds, describe_scores
from edge.common.errors import UserError
from edge.inference.model_file import digest
from training.common.quiet_keras import load_model_file
from training.common.train_config import recorded_config
from training.data.command_options import add_data_option, add_no_face_option
from training.data.datasets import read_datasets
from training.fit.prepare import read_held_out_of_all
from training.fit.thresholds import choose_thresholds
from training.network.model_report import read_report, report_path, write_report


def add_thresholds_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `python -m training thresholds`."""
    parser.add_argument(
        "--model",
        type=Path,
        required=True,
        metavar="FILE",
        help="a .keras model with its report beside it; the thresholds are written to the report,"
        " and `make convert` writes them to the .tflite file",
    )
    add_data_option(
        parser,
        "Give the data sets that the model was trained on: the thresholds are chosen on their"
        " validation splits.",
    )
    add_no_face_option(parser, "which must mostly cause no alert and be unsure")
    parser.set_defaults(run=run_thresholds)


def run_thresholds(options: argparse.Namespace) -> int:
    """Choose the thresholds, print them, and write them to the report."""
    report = read_report(report_path(options.model))
    if digest(options.model.read_bytes()) != report.keras_sha256:
        raise UserError(
            f"{report_path(options.model)} belongs to another Keras model, not to the one beside it"
        )
    model = load_model_file(options.model)
    labels = tuple(report.labels)
    datasets = read_datasets(options.data, labels)
    config = recorded_config(report.config)
    held_out = read_held_out_of_all(datasets, config, labels, options.no_face)
    found = choose_thresholds(model, held_out, labels)
    changed = msgspec.structs.replace(report, **found.report_fields())
    write_report(report_path(options.model), changed)
    sys.stdout.write(f"{_line(labels, found.all_labels, report.threshold)}\n")
    if found.two_labels is not None:
        before = None if report.two_labels is None else report.two_labels.alert.threshold
        sys.stdout.write(f"{_line(TWO_LABELS, found.two_labels, before)}\n")
    sys.stdout.write(f"wrote {report_path(options.model)}\n")
    return 0


def _line(labels: Sequence[str], found: Thresholds, before: float | None) -> str:
    earlier = "" if before is None else f" (before: {before:.4f})"
    return (
        f"{', '.join(labels)}: alert from {found.alert.threshold:.4f} on{earlier}, unsure below"
        f" {describe_scores(found.unsure.scores)}"
    )
