"""Corrected labels, applied to the train split only.

Public data sets have wrong labels. A file of corrections lists single faces and the labels that a
person has assigned to them. Corrections apply to the train split alone, so that figures on the
validation and test splits stay comparable with those that others report.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.common.errors import UsageError
from edge.common.text_files import EncodingError, read_text
from training.data.datasets import LABELS, DataSet, Sample
from training.data.splits import Split

log = logging.getLogger(__name__)

COLUMNS = ("picture", "x", "y", "label")
#: The entry in the column of labels for a face that must not be trained on.
LEAVE_OUT = "-"
#: A picture as `folder/file.jpg`, because the splits of a data set reuse file names, and the left
#: and upper edge of the face's box in whole pixels; both edges are None for a picture without
#: boxes.
Key = tuple[str, int | None, int | None]
Corrections = Mapping[Key, str]


def read_corrections(path: Path) -> Corrections:
    """Return the corrections in a CSV file with the columns `COLUMNS` and commas or semicolons.

    Raises UsageError naming the file and the first line that is invalid.
    """
    try:
        text = read_text(path)
    except (OSError, EncodingError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"the labels in {path} cannot be read: {reason}") from None
    # Spreadsheets of countries with a decimal comma write semicolons.
    delimiter = ";" if text.startswith(f"{COLUMNS[0]};") else ","
    try:
        return _parse(path, csv.reader(io.StringIO(text), delimiter=delimiter))
    except csv.Error as error:
        raise UsageError(f"{path} is not a CSV file: {error}") from None


def _parse(path: Path, rows: Any) -> Corrections:
    if tuple(next(rows, [])) != COLUMNS:
        raise UsageError(f"{path}, line 1: expected {','.join(COLUMNS)}")
    corrections: dict[Key, str] = {}
    for row in rows:
        if not row:
            continue
        where = f"{path}, line {rows.line_num}"
        try:
            picture, x, y, label = row
            face = (picture, _optional_int(x), _optional_int(y))
        except ValueError:
            raise UsageError(
                f"{where}: expected folder/picture, the left and upper edge of a box or two empty"
                f" fields, and a label, not {','.join(row)[:60]!r}"
            ) from None
        if label not in (*LABELS[3], LEAVE_OUT):
            expected = ", ".join(LABELS[3])
            raise UsageError(f"{where}: {label[:20]!r} is not one of {expected}, {LEAVE_OUT}")
        if face in corrections:
            raise UsageError(f"{where}: this face is already corrected by an earlier line")
        corrections[face] = label
    return corrections


def apply_corrections(data: DataSet, corrections: Corrections, labels: tuple[str, ...]) -> DataSet:
    """Return `data` with its train split corrected.

    Faces whose corrected label is not one of `labels` are left out.
    """
    samples = []
    for sample in data.samples:
        label = corrections.get(correction_key(sample), sample.label)
        if sample.split is not Split.TRAIN or label == sample.label:
            samples.append(sample)
        elif label in labels:
            samples.append(dataclasses.replace(sample, label=label))
    return dataclasses.replace(data, samples=tuple(samples))


def unused_corrections(datasets: list[DataSet], corrections: Corrections) -> list[Key]:
    """Return the corrections of faces that are in no train split of `datasets`."""
    trained = {correction_key(s) for data in datasets for s in data.in_split(Split.TRAIN)}
    return [face for face in corrections if face not in trained]


def correction_key(sample: Sample) -> Key:
    """Return the key that a correction uses for the face of `sample`."""
    name = f"{sample.path.parent.name}/{sample.path.name}"
    if sample.box_px is None:
        return name, None, None
    return name, round(sample.box_px[0]), round(sample.box_px[1])


def _optional_int(text: str) -> int | None:
    return int(text) if text else None
