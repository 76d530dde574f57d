"""Converts a Keras model to its variants, checks them, and writes them with their cards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from convert.atomic_files import temporary_folder
from convert.classifier.card import card_of, check_belongs
from convert.classifier.figures import card_figures
from convert.classifier.parity import Floats
from convert.classifier.pictures import CheckSet, check_set, training_crops
from convert.classifier.runtime_check import Runs, checked, save_pixels
from convert.job import Job
from convert.network.activation_ranges import ranges_of
from convert.network.from_keras import float_flatbuffer, load_keras
from convert.network.ranges import StoredRanges, read_ranges, write_ranges
from convert.network.variants import built, quantisation_of, variant_path
from edge.classification.model_card import attach_card
from edge.common.errors import UserError
from edge.inference.model_file import digest
from training.data.datasets import DataSet, read_datasets
from training.network.model_report import Report, read_report, report_path

#: Batch size for Keras.
BATCH = 256


@dataclass(frozen=True)
class Converted:
    """A variant that was written."""

    variant: str
    path: Path
    size_bytes: int
    runs: Runs


@dataclass(frozen=True)
class Outcome:
    """All results of a conversion; `keras_scores` (n, labels)."""

    job: Job
    check: CheckSet
    keras_scores: Floats
    converted: tuple[Converted, ...]


def convert(job: Job) -> Outcome:
    """Write every variant of `job`, and the figures measured on the data of `job`, if any.

    Raises UserError, and leaves all files as they were, when anything is missing or
    one of the variants fails the gate (`parity.check_parity`).
    """
    report, stored = _read(job)
    data = read_datasets(list(job.data), tuple(report.labels))
    # Importing TensorFlow takes seconds, so the cheap checks come first, and with them whether
    # files can be written.
    with temporary_folder(job.out) as folder:
        return _converted(job, report, stored, data, folder)


def _converted(
    job: Job, report: Report, stored: StoredRanges | None, data: list[DataSet], folder: Path
) -> Outcome:
    """Convert with TensorFlow; files are finished in `folder` before they are moved."""
    labels = tuple(report.labels)
    model = load_keras(job.model)
    flatbuffer = float_flatbuffer(model)
    if stored is None:
        crops = training_crops(data)
        stored = StoredRanges(report.keras_sha256, len(crops), ranges_of(flatbuffer, crops))
    flatbuffers = {name: built(name, flatbuffer, stored.ranges) for name in job.variants}
    check = check_set(data, labels, report.size_px)
    keras_scores = _keras_scores(model, check)
    runs = _all_checked(flatbuffers, report, check, keras_scores, folder)
    if data:
        stored = msgspec.structs.replace(stored, figures=_figures(runs, check, report))
    written = _write(job, report, flatbuffers, stored, folder)
    if data:
        write_ranges(job.ranges, stored)
    converted = (Converted(name, path, size, runs[name]) for name, path, size in written)
    return Outcome(job, check, keras_scores, tuple(converted))


def _read(job: Job) -> tuple[Report, StoredRanges | None]:
    """Read the report and the stored ranges; the latter are None if they must be measured."""
    if not job.model.is_file():
        raise UserError(
            f"the Keras model {job.model} does not exist; `make train` and `make adopt` make one"
        )
    report = read_report(report_path(job.model))
    keras_sha256 = digest(job.model.read_bytes())
    check_belongs(report, keras_sha256, report_path(job.model))
    return report, None if job.data else read_ranges(job.ranges, keras_sha256)


def _keras_scores(model: Any, check: CheckSet) -> Floats:
    parts = (check.pixels[i : i + BATCH] for i in range(0, len(check.pixels), BATCH))
    scores = [model(part.astype(np.float32), training=False) for part in parts]
    return np.concatenate([np.asarray(each, np.float32) for each in scores])


def _all_checked(
    flatbuffers: dict[str, bytes],
    report: Report,
    check: CheckSet,
    keras_scores: Floats,
    folder: Path,
) -> dict[str, Runs]:
    """Check every variant with the parity gate, and return the results by variant."""
    pixels = save_pixels(folder, check)
    runs = {}
    for variant, flatbuffer in flatbuffers.items():
        candidate = folder / f"{variant}.tflite"
        card = card_of(report, quantisation_of(variant, "RGB"), {})
        candidate.write_bytes(attach_card(flatbuffer, card))
        runs[variant] = checked(variant, candidate, check, keras_scores, pixels)
    return runs


def _figures(runs: dict[str, Runs], check: CheckSet, report: Report) -> dict[str, dict[str, Any]]:
    """Return the figures for the cards, by variant, from the runtime that the edge prefers."""
    found = {}
    for variant, each in runs.items():
        card, first = card_of(report, quantisation_of(variant, "RGB"), {}), each.ran[0]
        found[variant] = card_figures(check, first.scores, card, f"{variant} in {first.runtime}")
    return found


def _write(
    job: Job, report: Report, flatbuffers: dict[str, bytes], stored: StoredRanges, folder: Path
) -> list[tuple[str, Path, int]]:
    """Write all files, and return the variant, path, and size in bytes of each."""
    written = []
    for variant, flatbuffer in flatbuffers.items():
        figures = stored.figures.get(variant, {})
        content = attach_card(flatbuffer, card_of(report, quantisation_of(variant, "RGB"), figures))
        target = variant_path(job.out, variant)
        (folder / target.name).write_bytes(content)
        written.append((variant, target, len(content)))
    for _, target, _ in written:
        (folder / target.name).replace(target)
    return written
