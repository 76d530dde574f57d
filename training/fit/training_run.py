"""One complete training run: data, training, and the report that is written beside the model."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import sys
from pathlib import Path
from typing import Any

from edge.classification.model_card import TWO_LABELS
from edge.classification.model_card import DataSet as DataSetCard
from edge.common.errors import UsageError, UserError
from edge.inference.model_file import digest
from training.common.quiet_keras import import_keras, load_model_file
from training.common.train_config import TrainConfig
from training.data.corrections import apply_corrections, read_corrections, unused_corrections
from training.data.datasets import LABELS, DataSet, read_datasets
from training.data.detector_simulation import MARGIN
from training.data.splits import Split
from training.fit.checkpoint import RunProgress
from training.fit.epochs import save_model
from training.fit.held_out_metrics import test_split_metrics
from training.fit.negative_crops import no_face_pictures
from training.fit.prepare import Prepared, prepare
from training.fit.run_paths import RunPaths, recorded_run, run_paths
from training.fit.sampling_options import check_draws
from training.fit.score_calibration import calibrate
from training.fit.thresholds import choose_thresholds
from training.fit.training_loop import train
from training.network.efficientnet_lite import SHAPES, first_blocks_of, load_imagenet_weights
from training.network.fewer_labels import has_third_label, without_third_label
from training.network.grow import can_grow, grow, net_of
from training.network.model import MODEL_NAME, SIZE_PX, build_model
from training.network.model_report import Report, report_path, write_report
from training.workers.joining import joined_workers
from training.workers.task import task_of_environment
from training.workers.workers import Workers

log = logging.getLogger(__name__)

UNKNOWN_LICENCE = "not stated"
#: The suffix of a file of PyTorch.
WEIGHTS_SUFFIX = ".pth"


def run_training(options: argparse.Namespace, config: TrainConfig) -> int:
    """Train as `options` and `config` specify, and write the model and its report."""
    task = task_of_environment()
    labels = LABELS[config.classes]
    check_start(options.start, config)
    licences = _parse_licences(options.licence)
    datasets = _read_data_sets(options, labels)
    if options.no_face is not None:
        for split in (Split.TRAIN, Split.VALIDATION):
            no_face_pictures(options.no_face, split)  # raises now, not after minutes of reading
    known = [data.name for data in datasets]
    if options.no_face is not None:
        known.append(options.no_face.resolve().name)
    check_draws(config.draws, known)
    paths = run_paths(options.out, options.run_folder, MODEL_NAME)
    if task is None or task.is_chief:
        paths.check_start(config, options.resume, options.fresh)
    with joined_workers(task, config.batch, options.worker_wait) as workers:
        _train_and_report(options, config, datasets, paths, licences, workers)
    return 0


def _train_and_report(
    options: argparse.Namespace,
    config: TrainConfig,
    datasets: list[DataSet],
    paths: RunPaths,
    licences: dict[str, str],
    workers: Workers,
) -> None:
    labels = LABELS[config.classes]
    teacher = load_matching(options.teacher, "the teacher", labels)
    start = load_start(options.start, config, labels)
    with recorded_run(paths, options.data, workers.is_chief):
        data = prepare(datasets, config, labels, options.no_face)
        progress = train(data, config, labels, paths, options.resume, teacher, start, workers)
        if workers.is_chief:
            done = _FinishedRun(paths.model, datasets, data, config, progress)
            write_report(report_path(paths.model), _report(done, labels, licences))
            sys.stdout.write(f"wrote {paths.model} and {report_path(paths.model)}\n")


def _read_data_sets(options: argparse.Namespace, labels: tuple[str, ...]) -> list[DataSet]:
    datasets = read_datasets(options.data, labels)
    if options.corrections is None:
        return datasets
    corrections = read_corrections(options.corrections)
    unmatched = unused_corrections(datasets, corrections)
    if unmatched:
        log.warning(
            "%d of %d corrections in %s match no face that is trained on, such as %s",
            len(unmatched),
            len(corrections),
            options.corrections,
            unmatched[0][0],
        )
    return [apply_corrections(data, corrections, labels) for data in datasets]


def check_start(path: Path | None, config: TrainConfig) -> None:
    """Raise UsageError if a network that needs weights has none, or another gets its weights."""
    if path is None and config.net in SHAPES:
        raise UsageError(
            f"--net {config.net} needs --start with its weights, because its first blocks are not"
            " trained"
        )
    if path is not None and path.suffix == WEIGHTS_SUFFIX and config.net not in SHAPES:
        raise UsageError(
            f"--start {path}: a {WEIGHTS_SUFFIX} file can only start a model of --net"
            f" {' or '.join(SHAPES)}, not of --net {config.net}"
        )


def load_matching(path: Path | None, description: str, labels: tuple[str, ...]) -> Any:
    """Load the Keras model in `path`, or return None if `path` is None.

    A model of three labels is used without the third for a run with two. Raises UserError if the
    input or the labels of the model differ otherwise from those of this run.
    `description` is the name of the model in errors.
    """
    if path is None:
        return None
    model = load_model_file(path)
    if labels == TWO_LABELS and has_third_label(model):
        model = without_third_label(model)
    wanted = ((None, SIZE_PX, SIZE_PX, 3), (None, len(labels)))
    if (model.input_shape, model.output_shape) != wanted:
        raise UserError(
            f"{description} {path} has inputs of shape {model.input_shape} and outputs of shape"
            f" {model.output_shape}; a model of {', '.join(labels)} needs"
            f" {wanted[0]} and {wanted[1]}"
        )
    return model


def load_start(path: Path | None, config: TrainConfig, labels: tuple[str, ...]) -> Any:
    """Load the model to start from, and make the one in `config` of it: a larger one by growing,
    and a part of EfficientNet-Lite0 by leaving out the other blocks.

    Raises UserError if it has another architecture from which that one cannot be made.
    """
    if path is not None and path.suffix == WEIGHTS_SUFFIX:
        import_keras()
        start = build_model(len(labels), config.net)
        load_imagenet_weights(start, path)
        return start
    start = load_matching(path, "the model to start from,", labels)
    if start is None:
        return None
    net = net_of(start)
    if net == config.net:
        return start
    if net in SHAPES and config.net in SHAPES and SHAPES[net].blocks > SHAPES[config.net].blocks:
        return first_blocks_of(start, SIZE_PX, config.net)
    if net is not None and not can_grow(net, config.net):
        raise UserError(
            f"the model to start from, {path}, is a --net {net} model, which cannot start a --net"
            f" {config.net} one: give --net {net}"
        )
    if net is None:
        raise UserError(
            f"the model to start from, {path}, has the layers of no --net of `python -m training"
            " train`"
        )
    log.info("grew the --net %s model %s into a --net %s model", net, path, config.net)
    return grow(start, net, config.net, config.seed)


@dataclasses.dataclass(frozen=True)
class _FinishedRun:
    model: Path
    datasets: list[DataSet]
    data: Prepared
    config: TrainConfig
    progress: RunProgress


def _report(done: _FinishedRun, labels: tuple[str, ...], licences: dict[str, str]) -> Report:
    import keras
    import tensorflow as tf

    model, data = done.model, done.data
    network = load_model_file(model)
    calibration = calibrate(network, data.held_out.validation)
    save_model(network, model)
    thresholds = choose_thresholds(network, data.held_out, labels)
    return Report(
        name=f"{model.stem}-{SIZE_PX}",
        keras_sha256=digest(model.read_bytes()),
        labels=list(labels),
        size_px=SIZE_PX,
        margin=MARGIN,
        **thresholds.report_fields(),
        training_data=[
            DataSetCard(
                name=source.name,
                pictures=source.pictures,
                sha256=source.sha256,
                licence=licences.get(source.name, UNKNOWN_LICENCE),
            )
            for source in data.sources
        ],
        calibration=dataclasses.asdict(calibration),
        figures=_report_figures(model, done.datasets, data),
        config=dataclasses.asdict(done.config),
        history=done.progress.history,
        training_s=round(sum(entry["seconds"] for entry in done.progress.history), 1),
        licence="MIT",
        versions={"tensorflow": tf.__version__, "keras": keras.__version__},
    )


def _report_figures(model: Path, datasets: list[DataSet], data: Prepared) -> dict[str, Any]:
    return {
        "faces_trained_on": {source.name: source.faces for source in data.sources},
        "left_out_as_copies_of_held_out_faces": {
            source.name: source.left_out_as_copies for source in data.sources
        },
        **test_split_metrics(model, datasets, list(data.held_out.validation)),
    }


def _parse_licences(arguments: list[str]) -> dict[str, str]:
    pairs = [argument.partition("=") for argument in arguments]
    if any(not text for _, _, text in pairs):
        raise UsageError("--licence: expected NAME=TEXT, such as face-mask-12k=CC0")
    return {name: text for name, _, text in pairs}
