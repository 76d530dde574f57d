"""`python -m training binary`: make a 2-class model from a 3-class model.

In the training of the 3-class model, incorrectly worn masks have a class of their own, so they do
not distort `mask` and `no_mask`. Without the third output of the last layer, the softmax gives
exactly the probabilities of the two other labels given that the face has one of them, P(no_mask |
not incorrect_mask). These probabilities are then calibrated again.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edge.common.errors import UsageError
from edge.inference.model_file import digest
from training.common.quiet_keras import load_model_file
from training.common.train_config import recorded_config
from training.data.command_options import add_data_option, add_no_face_option
from training.data.datasets import LABELS, read_datasets
from training.fit.alert_threshold import choose_threshold
from training.fit.epochs import save_model
from training.fit.held_out_metrics import test_split_metrics
from training.fit.prepare import read_held_out_of_all
from training.fit.run_paths import RUNS, holds_run
from training.fit.score_calibration import calibrate
from training.fit.unsure_scores import choose_unsure
from training.network.model import MODEL_NAMES, SIZE_PX
from training.network.model_report import read_report, report_path, write_report
from training.workers.task import task_of_environment

KEPT_LABELS = LABELS[2]


def add_binary_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `python -m training binary`."""
    parser.add_argument(
        "--model",
        type=Path,
        required=True,
        metavar="FILE",
        help="a 3-class .keras model with its report beside it",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="the 2-class .keras model to write; only in the folder of a run an existing one is"
        " overwritten (default: mask.keras beside --model)",
    )
    add_data_option(
        parser,
        "Give the data sets that the model was trained on: their validation splits determine the"
        " calibration and the alert threshold.",
    )
    add_no_face_option(parser, "which the alert threshold must mostly exceed")
    parser.set_defaults(run=run_binary)


def run_binary(options: argparse.Namespace) -> int:
    """Write the 2-class model and its report; raises UserError if `--model` is not a
    3-class model. Of several machines that train together, only the chief has a model.
    """
    task = task_of_environment()
    if task is not None and not task.is_chief:
        sys.stdout.write(f"{task}: {task.name_of(0)} writes the 2-class model\n")
        return 0
    report = read_report(report_path(options.model))
    if tuple(report.labels) != LABELS[3]:
        raise UsageError(
            f"{options.model} has the labels {', '.join(report.labels)}, but a 3-class model is"
            " needed"
        )
    out = _out_path(options)
    whole = load_model_file(options.model)
    datasets = read_datasets(options.data, KEPT_LABELS)
    config = recorded_config(report.config)
    kept_back = read_held_out_of_all(datasets, config, KEPT_LABELS, options.no_face)
    model = without_third_class(whole)
    calibration = calibrate(model, kept_back.validation)
    threshold = choose_threshold(model, kept_back, KEPT_LABELS)
    out.parent.mkdir(parents=True, exist_ok=True)
    save_model(model, out)
    figures = {
        **{name: value for name, value in report.figures.items() if not name.endswith("float")},
        **test_split_metrics(out, datasets, list(kept_back.validation)),
    }
    changed = msgspec.structs.replace(
        report,
        name=f"{out.stem}-{SIZE_PX}",
        keras_sha256=digest(out.read_bytes()),
        derived_from=report.keras_sha256,
        labels=list(KEPT_LABELS),
        threshold=threshold.value,
        threshold_chosen=threshold.chosen,
        unsure=choose_unsure(model, kept_back, KEPT_LABELS, threshold.value),
        calibration=dataclasses.asdict(calibration),
        figures=figures,
        config=dataclasses.asdict(config),
    )
    write_report(report_path(out), changed)
    sys.stdout.write(f"wrote {out} and {report_path(out)}\n")
    return 0


def _out_path(options: argparse.Namespace) -> Path:
    """Return the path to write; raises UsageError if it is not that of a Keras model, or has a
    model that is not of the same run.
    """
    beside = Path(options.model.parent)
    out = Path(options.out or beside / f"{MODEL_NAMES[2]}.keras")
    if out.suffix != ".keras":
        raise UsageError(f"--out {out}: the name of the model must end with .keras")
    if out.resolve() == options.model.resolve():
        raise UsageError(f"--out {out} is the 3-class model itself: give another name")
    of_same_run = out.resolve().parent == beside.resolve() and holds_run(beside)
    if out.exists() and not of_same_run:
        raise UsageError(
            f"{out} exists and is not overwritten: give --out FILE in another folder, such as"
            f" {RUNS / 'binary' / out.name}; `python -m training adopt` puts it into models/"
        )
    return out


def without_third_class(whole: Any) -> Any:
    """Return `whole`, a Keras model of `LABELS[3]`, as a model of `LABELS[2]`: (n, 2)
    probabilities.
    """
    import keras

    last = whole.get_layer("shares")
    weights, bias = (np.asarray(value) for value in last.get_weights())
    columns = [LABELS[3].index(label) for label in KEPT_LABELS]
    shares = keras.layers.Dense(len(KEPT_LABELS), activation="softmax", name="shares")
    model = keras.Model(whole.input, shares(last.input), name="mask")
    shares.set_weights([weights[:, columns], bias[columns]])
    return model
