"""`python -m training detector`: its options, and the run that they define."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge.common.errors import UsageError, UserError
from edge.config.settings import DetectorSettings
from edge.detection.detector_card import DetectorInput
from edge.detection.haar_detector import HaarDetector
from edge.inference.model_file import digest
from training.data.command_options import add_run_options, add_schedule_options, positive_int
from training.data.progress import with_progress
from training.data.splits import Split
from training.face_detector.detector_config import DetectorConfig
from training.face_detector.detector_report_file import DetectorReport, write_detector_report
from training.face_detector.operating_point import (
    cascade_boxes,
    choose_thresholds,
    measure_box_convention,
)
from training.face_detector.pictures.boxed_pictures import BoxedPicture, BoxKind
from training.face_detector.pictures.boxed_pictures_option import add_boxed_data_option
from training.face_detector.pictures.decodable import decodable
from training.face_detector.pictures.read_pictures import of_split, read_boxed_pictures

if TYPE_CHECKING:
    from training.face_detector.detector_training import DetectorData
    from training.fit.checkpoint import RunProgress

log = logging.getLogger(__name__)

#: The name of the shipped face detector, models/face.keras.
MODEL_NAME = "face"


def add_detector_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `python -m training detector`."""
    defaults = DetectorConfig()
    add_boxed_data_option(parser)
    add_run_options(parser, "face.keras", "runs/face")
    add_schedule_options(
        parser, defaults, "pictures", score="average precision on the validation split"
    )
    parser.add_argument(
        "--limit",
        type=positive_int,
        metavar="NUMBER",
        help="train on at most this many pictures, evenly spread over all, for a quick trial"
        " (default: all)",
    )
    parser.add_argument(
        "--start",
        type=Path,
        metavar="FILE",
        help="a detector whose weights are the start, or a classifier of `python -m training"
        " train`, such as models/mask.keras, whose first layers are the start: it then needs far"
        " fewer epochs (default: random weights)",
    )
    _add_network_options(parser, defaults)
    parser.set_defaults(
        run=run_detector, interrupted="stopped; --resume continues after the last complete epoch"
    )


def _add_network_options(parser: argparse.ArgumentParser, defaults: DetectorConfig) -> None:
    parser.add_argument(
        "--colour",
        choices=["luma", "rgb"],
        default="luma",
        help="what the network sees: luma, as a camera's luma plane or a night camera gives it, or"
        " rgb (default: %(default)s)",
    )
    parser.add_argument(
        "--size",
        type=_picture_size,
        default=(defaults.width, defaults.height),
        metavar="WIDTHxHEIGHT",
        help="pixels of the picture that the network sees, multiples of 16"
        f" (default: {defaults.width}x{defaults.height})",
    )


def _picture_size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    try:
        size = (int(width), int(height))
    except ValueError:
        size = (0, 0)
    if min(size) < 64 or size[0] % 16 or size[1] % 16:
        raise argparse.ArgumentTypeError(
            f"{text} is not WIDTHxHEIGHT in multiples of 16 from 64 on, such as 320x240"
        )
    return size


def run_detector(options: argparse.Namespace) -> int:
    """Train with the settings in `options`, and write the model and its report."""
    from training.face_detector.detector_training import train_detector
    from training.fit.run_paths import recorded_run, run_paths
    from training.workers.joining import joined_workers
    from training.workers.task import task_of_environment

    task = task_of_environment()
    config = DetectorConfig(
        epochs=options.epochs,
        batch=options.batch,
        seed=options.seed,
        width=options.size[0],
        height=options.size[1],
        channels={"luma": 1, "rgb": 3}[options.colour],
        limit=options.limit,
        learning_rate=options.learning_rate,
        patience=options.patience,
        start_sha256="" if options.start is None else digest(_read(options.start)),
    )
    paths = run_paths(options.out, options.run_folder, MODEL_NAME)
    if task is None or task.is_chief:
        paths.check_start(config, options.resume, options.fresh)
    with (
        joined_workers(task, config.batch, options.worker_wait) as workers,
        recorded_run(paths, options.data, workers.is_chief),
    ):
        data = _read_data(options, config)
        progress = train_detector(data, config, paths, options.resume, options.start, workers)
        if workers.is_chief:
            report = paths.model.with_suffix(".json")
            write_detector_report(report, _report(paths.model, config, data, progress))
            sys.stdout.write(f"wrote {paths.model} and {report}\n")
    return 0


def _read_data(options: argparse.Namespace, config: DetectorConfig) -> DetectorData:
    from training.face_detector.detector_batches import DetectorTrainingSet
    from training.face_detector.detector_training import DetectorData
    from training.face_detector.validation_pictures import read_validation_pictures

    pictures = read_boxed_pictures(options.data)
    training = _limited(_pictures_of(pictures, Split.TRAIN), config.limit)
    validation = _pictures_of(pictures, Split.VALIDATION)
    # A picture that cannot be decoded would otherwise end the run when it is first drawn.
    readable = decodable(with_progress([*training, *validation], "reading", "picture"), pictures)
    training = _pictures_of(readable, Split.TRAIN)
    validation = _pictures_of(readable, Split.VALIDATION)
    log.info(
        "%d pictures with %d faces to train on, %d with %d to validate on",
        *(len(training), _faces(training), len(validation), _faces(validation)),
    )
    return DetectorData(
        DetectorTrainingSet(training, config.size),
        read_validation_pictures(validation, config.size),
        _digests(pictures),
    )


def _read(start: Path) -> bytes:
    try:
        return start.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read the model to start from, {start}: {error.strerror}") from None


def _pictures_of(pictures: Sequence[BoxedPicture], split: Split) -> list[BoxedPicture]:
    found = of_split(pictures, split)
    if not _faces(found):
        raise UsageError(f"the {split} split of all data together has no picture with a face")
    return found


def _limited(pictures: list[BoxedPicture], limit: int | None) -> list[BoxedPicture]:
    if limit is None or limit >= len(pictures):
        return pictures
    chosen = [pictures[i * len(pictures) // limit] for i in range(limit)]
    if not _faces(chosen):
        raise UsageError(f"--limit {limit}: none of these pictures shows a face: give a higher one")
    return chosen


def _faces(pictures: Sequence[BoxedPicture]) -> int:
    return sum(len(picture.of_kind(BoxKind.FACE)) for picture in pictures)


def _digests(pictures: Sequence[BoxedPicture]) -> dict[str, str]:
    """Return the digest of the annotations of each source, by its name."""
    lines: dict[str, list[str]] = {}
    for each in pictures:
        boxes = [(box.box_px, box.kind.value, box.label) for box in each.boxes]
        lines.setdefault(each.source, []).append(f"{each.path.name} {each.split} {boxes}")
    return {name: digest("\n".join(sorted(each)).encode()) for name, each in lines.items()}


def _report(
    model: Path, config: DetectorConfig, data: DetectorData, progress: RunProgress
) -> DetectorReport:
    from training.common.quiet_keras import load_model_file

    network = load_model_file(model)
    import keras  # after `load_model_file`, which silences these imports
    import tensorflow as tf

    held = data.validation
    found = held.detections(network)
    threshold = choose_thresholds(found, held.truths)
    cascade = HaarDetector(DetectorSettings())
    pairs = [
        (each.corners[each.scores >= threshold.score], cascade_boxes(pixels, cascade))
        for each, pixels in zip(found, held.pixels, strict=True)
    ]
    return DetectorReport(
        name=f"{model.stem}-{config.width}x{config.height}",
        keras_sha256=digest(model.read_bytes()),
        input=DetectorInput(
            height=config.height,
            width=config.width,
            colour="luma" if config.channels == 1 else "rgb",
        ),
        box=measure_box_convention(pairs),
        threshold=threshold,
        training_data=data.digests,
        validation=max(progress.history, key=lambda entry: entry["score"]),
        config=dataclasses.asdict(config),
        history=progress.history,
        training_s=round(sum(entry["seconds"] for entry in progress.history), 1),
        licence="MIT",
        versions={"tensorflow": tf.__version__, "keras": keras.__version__},
    )
