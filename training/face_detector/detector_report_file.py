"""The report that is written beside a face detector's model: what its model card will contain."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from edge.common.text_files import read_text
from edge.detection.detector_card import KIND, BoxConvention, DetectorInput, Threshold
from training.common.struct_file import read_struct, write_struct


class DetectorReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of `models/face.json`.

    `training_data`: the digest of each data set's annotations, by the name of the data set.
    `validation`: the figures of the epoch whose weights were kept, by the Keras model.
    """

    kind: Literal["face detector"] = KIND
    name: str
    keras_sha256: str
    input: DetectorInput
    box: BoxConvention
    threshold: Threshold
    training_data: dict[str, str]
    validation: dict[str, Any]
    config: dict[str, Any]
    history: list[dict[str, Any]]
    training_s: float
    licence: str
    versions: dict[str, str]


def write_detector_report(path: Path, report: DetectorReport) -> None:
    """Write `report` as indented JSON, atomically."""
    write_struct(path, report)


def is_detector_report(path: Path) -> bool:
    """Return whether `path` is the report of a face detector, valid or not."""
    try:
        content = msgspec.json.decode(read_text(path))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("kind") == KIND


def read_detector_report(path: Path) -> DetectorReport:
    """Read a report; raises UserError, which names the file and what is wrong in it."""
    return read_struct(path, DetectorReport)
