"""The report that is written beside a model: its metrics, and what its model card will contain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from edge.classification.model_card import DataSet, Thresholds, Unsure
from training.common.struct_file import read_struct, write_struct


class Report(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of `models/mask.json`, and of the report of a run; sizes are in pixels.

    `threshold`: the alert threshold, as in `edge.classification.model_card.Alert`. `unsure`: the
    scores under which a reading is unsure, or None in the report of an earlier version, for which
    `python -m training thresholds` chooses them. `two_labels`: the thresholds of the answer with
    two labels, as in `edge.classification.model_card.Card`; None for a model of two labels, and in
    the report of an earlier version. `derived_from`: empty, or in the report of an earlier version
    the digest of the model that this model was derived from. `calibration`: a
    `training.fit.score_calibration.Calibration`, already folded into the model.
    """

    name: str
    keras_sha256: str
    derived_from: str = ""
    labels: list[str]
    size_px: int
    margin: float
    threshold: float
    threshold_chosen: str
    unsure: Unsure | None = None
    two_labels: Thresholds | None = None
    training_data: list[DataSet]
    calibration: dict[str, Any] = {}
    figures: dict[str, Any]
    config: dict[str, Any]
    history: list[dict[str, Any]]
    training_s: float
    licence: str
    versions: dict[str, str]


def report_path(model: Path) -> Path:
    """Return the path of the report of a Keras model, which is in the same folder."""
    return model.with_suffix(".json")


def write_report(path: Path, report: Report) -> None:
    """Write `report` as indented JSON, atomically."""
    write_struct(path, report)


def read_report(path: Path) -> Report:
    """Read a report; raises UserError, which names the file and what is wrong in it."""
    return read_struct(path, Report)
