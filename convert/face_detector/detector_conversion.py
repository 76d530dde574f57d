"""Converts a face detector's Keras model to its variants, checks them, and writes them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from convert.atomic_files import temporary_folder
from convert.classifier.runtime_check import installed_runtimes
from convert.face_detector.detector_parity import (
    DetectorParity,
    Outputs,
    check_detector_parity,
    compare_outputs,
)
from convert.face_detector.detector_pictures import (
    DetectorCheckSet,
    detector_check_set,
    range_pictures,
)
from convert.face_detector.detector_ranges import limited_ranges
from convert.face_detector.detector_scoring import DetectorMeasured, measured_detector
from convert.job import Job
from convert.network.activation_ranges import ranges_of
from convert.network.from_keras import float_flatbuffer, load_keras
from convert.network.ranges import StoredRanges, read_ranges, write_ranges
from convert.network.variants import built, quantisation_of, variant_path
from edge.common.errors import UserError
from edge.detection.detector_card import DetectorCard, attach_detector_card
from edge.detection.point_grid import STRIDES, Grid, InputSize, decode_detections
from edge.inference.model_file import digest
from training.face_detector.detector_report_file import DetectorReport, read_detector_report
from training.face_detector.pictures.boxed_pictures import BoxedPicture
from training.face_detector.pictures.decodable import decodable
from training.face_detector.pictures.read_pictures import is_boxed, read_boxed_pictures
from training.network.model_report import report_path

BATCH = 16
DECODING = (
    "Outputs: logits (1, points) and codes (1, points, 4). A point's score is the sigmoid of its"
    " logit; its code is x and y from the point to the centre of the box, and the natural"
    " logarithms of width and height, all in strides. Points are half a stride from the corner and"
    " a stride apart, row by row, level after level. Boxes of which two have an IoU above 0.45 are"
    " one face."
)
#: The smallest score that counts for the average precision.
MIN_SCORE = 0.02


@dataclass(frozen=True)
class DetectorRun:
    """The results of a variant in one runtime; `figures` are empty without test pictures."""

    variant: str
    path: Path
    size_bytes: int
    runtime: str
    parity: DetectorParity
    latency_ms: float
    figures: dict[str, float]


@dataclass(frozen=True)
class DetectorOutcome:
    """All results of a conversion."""

    job: Job
    check: DetectorCheckSet
    keras_figures: dict[str, float]
    runs: tuple[DetectorRun, ...]


def convert_detector(job: Job) -> DetectorOutcome:
    """Write every variant of `job`, and the figures measured on the data of `job`, if any.

    Raises UserError, and leaves all files as they were, when anything is missing or one of the
    variants fails the gate (`detector_parity.check_detector_parity`).
    """
    job = _with_boxed_data(job)
    report, stored = _read(job)
    annotated = read_boxed_pictures(list(job.data)) if job.data else []
    pictures = decodable(annotated, annotated)
    # Importing TensorFlow takes seconds, so the cheap checks come first, and with them whether
    # files can be written.
    with temporary_folder(job.out) as folder:
        return _converted(job, report, stored, pictures, folder)


def _converted(
    job: Job,
    report: DetectorReport,
    stored: StoredRanges | None,
    pictures: list[BoxedPicture],
    folder: Path,
) -> DetectorOutcome:
    """Convert with TensorFlow; files are finished in `folder` before they are moved."""
    size = InputSize(report.input.width, report.input.height)
    grid = Grid.of(size)
    model = load_keras(job.model)
    flatbuffer = float_flatbuffer(model, reshapes=True)
    if stored is None:
        chosen = range_pictures(pictures, size)
        stored = StoredRanges(report.keras_sha256, len(chosen), ranges_of(flatbuffer, chosen))
    ranges = limited_ranges(flatbuffer, stored.ranges, size)
    flatbuffers = {name: built(name, flatbuffer, ranges) for name in job.variants}
    check = detector_check_set(pictures, size)
    expected = _keras_outputs(model, check)
    runs: list[DetectorRun] = []
    pixels = folder / "check.npy"
    np.save(pixels, check.pixels)
    for variant, content in flatbuffers.items():
        candidate = folder / f"{variant}.tflite"
        candidate.write_bytes(attach_detector_card(content, _card(report, variant, {})))
        for runtime in installed_runtimes():
            measured = _checked(variant, candidate, pixels, runtime)
            parity = compare_outputs(grid, expected, measured.outputs)
            check_detector_parity(parity, variant)
            runs.append(
                DetectorRun(
                    variant,
                    variant_path(job.out, variant),
                    0,
                    runtime,
                    parity,
                    measured.latency_ms,
                    _figures(grid, measured.outputs, check),
                )
            )
    if job.data:
        stored = msgspec.structs.replace(stored, figures=_card_figures(runs, check))
    sizes = _write(job, report, flatbuffers, stored, folder)
    if job.data:
        write_ranges(job.ranges, stored)
    done = tuple(replace(run, size_bytes=sizes[run.variant]) for run in runs)
    return DetectorOutcome(job, check, _figures(grid, expected, check), done)


def _with_boxed_data(job: Job) -> Job:
    """Return `job` with only those folders that hold boxed pictures.

    `make convert` gives all its data to every model, also the faces for the classifiers.
    """
    unused = [root for root in job.data if root.is_dir() and not is_boxed(root)]
    for root in unused:
        sys.stderr.write(f"{root} holds no boxed pictures: it is not used for {job.model}\n")
    return replace(job, data=tuple(root for root in job.data if root not in unused))


def _read(job: Job) -> tuple[DetectorReport, StoredRanges | None]:
    if not job.model.is_file():
        raise UserError(
            f"the Keras model {job.model} does not exist; `make train-detector` and `make adopt`"
            " make one"
        )
    report = read_detector_report(report_path(job.model))
    keras_sha256 = digest(job.model.read_bytes())
    if report.keras_sha256 != keras_sha256:
        raise UserError(
            f"{report_path(job.model)} belongs to another Keras model, not to the one beside it"
        )
    if report.input.colour != "luma":
        raise UserError(
            f"{job.model} takes {report.input.colour} pictures, but the daemon searches luma: train"
            " it with --colour luma"
        )
    return report, None if job.data else read_ranges(job.ranges, keras_sha256)


def _keras_outputs(model: Any, check: DetectorCheckSet) -> Outputs:
    import tensorflow as tf

    compiled = tf.function(lambda pixels: model(pixels, training=False))
    parts = [
        compiled(check.pixels[i : i + BATCH].astype(np.float32))
        for i in range(0, len(check.pixels), BATCH)
    ]
    logits, codes = (
        np.concatenate([np.asarray(part[name], np.float32) for part in parts])
        for name in ("logits", "codes")
    )
    return Outputs(logits, codes)


def _checked(variant: str, candidate: Path, pixels: Path, runtime: str) -> DetectorMeasured:
    answer = measured_detector(candidate, pixels, runtime)
    if not isinstance(answer, DetectorMeasured):
        raise UserError(f"the {variant} face detector is not written: {runtime} fails: {answer}")
    return answer


def _figures(grid: Grid, outputs: Outputs, check: DetectorCheckSet) -> dict[str, float]:
    """Return average precision and recalls, as `training detector` does on validation pictures."""
    if check.held is None:
        return {}
    found = [
        decode_detections(grid, logits, codes, MIN_SCORE)
        for logits, codes in zip(outputs.logits, outputs.codes, strict=True)
    ]
    return check.held.figures_of(found)


def _card_figures(
    runs: list[DetectorRun], check: DetectorCheckSet
) -> dict[str, dict[str, dict[str, float]]]:
    """Return the figures for the cards, by variant, from the runtime that the edge prefers."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for run in runs:
        name = f"{check.description}, {run.variant} in {run.runtime}"
        found.setdefault(run.variant, {name: run.figures})
    return found


def _card(report: DetectorReport, variant: str, measured: dict[str, Any]) -> DetectorCard:
    return DetectorCard(
        name=report.name,
        input=report.input,
        strides=list(STRIDES),
        decoding=DECODING,
        box=report.box,
        threshold=report.threshold,
        quantisation=quantisation_of(variant, "luma"),
        keras_sha256=report.keras_sha256,
        training_data=report.training_data,
        figures={"validation": report.validation, **measured},
        licence=report.licence,
        versions={**report.versions, "ai-edge-quantizer": version("ai-edge-quantizer")},
    )


def _write(
    job: Job,
    report: DetectorReport,
    flatbuffers: dict[str, bytes],
    stored: StoredRanges,
    folder: Path,
) -> dict[str, int]:
    """Write all files, and return the size of each in bytes, by variant."""
    sizes = {}
    for variant, flatbuffer in flatbuffers.items():
        card = _card(report, variant, stored.figures.get(variant, {}))
        content = attach_detector_card(flatbuffer, card)
        (folder / f"{variant}.finished").write_bytes(content)
        sizes[variant] = len(content)
    for variant in flatbuffers:
        (folder / f"{variant}.finished").replace(variant_path(job.out, variant))
    return sizes
