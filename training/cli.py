"""`python -m training COMMAND`: train, evaluate, and study classifiers and face detectors."""

from __future__ import annotations

import argparse
import logging
import sys
from typing import Any

from edge.common.errors import UserError
from edge.common.file_access import write_problem
from training.adoption.adopt_command import add_adopt_options
from training.data.fetch import add_dataset_options
from training.data.label_command import add_label_options
from training.detector_sweep.frontier_command import add_frontier_options
from training.evaluation.evaluate_command import add_evaluate_options
from training.evaluation.stress import add_stress_options
from training.exploration.explore_command import add_explore_options
from training.face_detector.detector_command import add_detector_options
from training.face_detector.evaluation.evaluate_alerts_command import (
    add_evaluate_alerts_options,
)
from training.face_detector.evaluation.evaluate_detector_command import (
    add_evaluate_detector_options,
)
from training.fit.cross_dataset import add_cross_options
from training.fit.thresholds_command import add_thresholds_options
from training.fit.train_command import add_train_options

#: Each command's name, the sentence that describes it, and the function that adds its options.
COMMANDS = (
    ("dataset", "Download public data sets, or list them.", add_dataset_options),
    (
        "label",
        "Give faces that are only boxed the labels from a CSV file.",
        add_label_options,
    ),
    (
        "explore",
        "Report on the pictures of data sets: counts, sizes, near-duplicates, style.",
        add_explore_options,
    ),
    ("train", "Train a Keras model on pictures.", add_train_options),
    (
        "thresholds",
        "Choose the alert threshold of a trained model, and the scores under which it is unsure.",
        add_thresholds_options,
    ),
    (
        "adopt",
        "Put the model of a run into models/, unless the present one is better.",
        add_adopt_options,
    ),
    ("evaluate", "Measure a model on data sets.", add_evaluate_options),
    (
        "stress",
        "Measure a model's alerts on test faces in bad light, blurred, or partly covered.",
        add_stress_options,
    ),
    (
        "cross",
        "Train on each data set alone and test on all, or without each in turn and test on it.",
        add_cross_options,
    ),
    ("detector", "Train a face detector on pictures with boxed faces.", add_detector_options),
    (
        "evaluate-detector",
        "Measure face detectors on pictures with boxed faces.",
        add_evaluate_detector_options,
    ),
    (
        "evaluate-alerts",
        "Measure a face detector and a classifier together on pictures with boxed faces.",
        add_evaluate_alerts_options,
    ),
    (
        "frontier",
        "Compare settings of the face detector on boxed photographs and on clips.",
        add_frontier_options,
    ),
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status.

    A UserError, or an OSError about a file, is printed as one line on standard error.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        return int(options.run(options))
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except OSError as error:
        if error.filename is None:  # not about a file
            raise
        sys.stderr.write(f"cannot use {error.filename}: {write_problem(error)}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(getattr(options, "interrupted", "stopped") + "\n")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands: Any = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, description, add_options in COMMANDS:
        add_options(commands.add_parser(name, help=description, description=description))
    return parser
