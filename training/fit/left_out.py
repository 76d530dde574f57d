"""`python -m training cross --left-out`: train without each data set in turn, and test on it."""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from pathlib import Path

from edge.common.errors import UsageError
from training.common.quiet_keras import load_model_file
from training.common.struct_file import write_struct
from training.common.train_config import TrainConfig
from training.data.datasets import LABELS, DataSet, check_classes, read_datasets
from training.data.progress import subsample
from training.data.splits import Split
from training.evaluation.evaluate import EvaluationResult, EvaluationTask, plan_task, run_task
from training.evaluation.left_out_report import (
    LeftOutResults,
    left_out_section,
    left_out_source,
    write_left_out_plot,
)
from training.evaluation.report_folder import write_report_folder
from training.evaluation.scorers import load_scorer
from training.fit.alert_threshold import choose_alert
from training.fit.epochs import save_model
from training.fit.held_out_scores import held_out_scores
from training.fit.prepare import HeldOut, prepare_beside, read_crops, read_held_out_of_all
from training.fit.run_paths import RunPaths
from training.fit.sampling_options import check_draws
from training.fit.score_calibration import calibrate
from training.fit.training_loop import train
from training.fit.training_run import check_start, load_start
from training.network.model import MODEL_NAME

RESULTS_NAME = "left-out.json"


def run_left_out(options: argparse.Namespace, config: TrainConfig) -> int:
    """Train and evaluate a network for each data set; print a table, and write the reports."""
    labels = LABELS[options.classes]
    if len(options.data) < 2:
        raise UsageError("--left-out: give two or more data sets, which are left out in turn")
    datasets = read_datasets(options.data, labels)
    check_draws(config.draws, (data.name for data in datasets))
    check_start(options.start, config)
    left_out = _chosen(options.left_out, datasets)
    for data in left_out:  # all checks come before the first training
        _check(data, datasets, labels)
    results = LeftOutResults(
        labels=list(labels),
        net=options.net,
        steps=options.steps,
        sources=[
            left_out_source(
                _evaluate_without(data, datasets, config, options).evaluation,
                [each.name for each in datasets if each is not data],
            )
            for data in left_out
        ],
    )
    write_struct(options.out / RESULTS_NAME, results)
    section = "\n".join(left_out_section(results))
    (options.out / "left-out.md").write_text(section + "\n![](left-out.png)\n")
    write_left_out_plot(options.out / "left-out.png", results)
    sys.stdout.write(section)
    return 0


def _chosen(names: list[str], datasets: list[DataSet]) -> list[DataSet]:
    """Return the data sets with these `names`, or all without names; raises UsageError."""
    known = [data.name for data in datasets]
    if unknown := [name for name in names if name not in known]:
        raise UsageError(
            f"--left-out: there is no data set {', '.join(unknown)}; the data sets are"
            f" {', '.join(known)}"
        )
    return [data for data in datasets if not names or data.name in names]


def _check(left_out: DataSet, datasets: list[DataSet], labels: tuple[str, ...]) -> None:
    """Raise UsageError if the other data sets lack a label, or `left_out` a test face."""
    others = [data for data in datasets if data is not left_out]
    for split in (Split.TRAIN, Split.VALIDATION):
        check_classes(others, split, labels)
    _task(left_out, labels)


def _task(data: DataSet, labels: tuple[str, ...]) -> EvaluationTask:
    return plan_task(labels, data.argument or data.root, Split.TEST)


def _evaluate_without(
    left_out: DataSet, datasets: list[DataSet], config: TrainConfig, options: argparse.Namespace
) -> EvaluationResult:
    """Train on all `datasets` but `left_out`, and evaluate the network on its test split."""
    labels = LABELS[config.classes]
    folder = options.out / f"without-{left_out.name.replace('/', '-')}"
    others = [data for data in datasets if data is not left_out]
    _, tested = read_crops(left_out, Split.TEST, config.limit, labels)
    held_out = read_held_out_of_all(others, config, labels)
    held_out = dataclasses.replace(held_out, fingerprints=held_out.fingerprints + tested)
    prepared = prepare_beside(others, held_out, config, labels)
    epochs = math.ceil(options.steps / prepared.training.steps(config.batch))
    config = dataclasses.replace(config, epochs=epochs, patience=epochs)
    paths = RunPaths(folder / f"{MODEL_NAME}.keras", folder)
    start = load_start(options.start, config, labels)
    train(prepared, config, labels, paths, resume=paths.state.exists(), start=start)
    model, threshold = _calibrated(paths, held_out, labels)
    scorer = dataclasses.replace(load_scorer(model, None), threshold=threshold)
    task = _task(left_out, labels)
    task = dataclasses.replace(task, samples=subsample(task.samples, config.limit))
    result = run_task(scorer, model, task, None, {}, altered=True)
    write_report_folder(folder / "report", model, [result])
    return result


def _calibrated(paths: RunPaths, held_out: HeldOut, labels: tuple[str, ...]) -> tuple[Path, float]:
    """Write the calibrated network, and return its path and its alert threshold.

    It has its own file, so that a command that is repeated does not calibrate it twice.
    """
    network = load_model_file(paths.model)
    calibrate(network, held_out.validation)
    path = paths.run / "calibrated.keras"
    save_model(network, path)
    return path, choose_alert(held_out_scores(network, held_out, labels)).threshold
