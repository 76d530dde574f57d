"""The finished models of a run, each with its report and its place in models/."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from edge.common.errors import UsageError, UserError
from edge.inference.model_file import digest
from training.data.datasets import LABELS
from training.face_detector.detector_command import MODEL_NAME as DETECTOR_NAME
from training.face_detector.detector_report_file import (
    DetectorReport,
    is_detector_report,
    read_detector_report,
)
from training.network.model import MODEL_NAME
from training.network.model_report import Report, read_report, report_path


@dataclass(frozen=True)
class TrainedModel:
    """A Keras model and its report; `name`: its name in models/, without an ending."""

    path: Path
    report: Report | DetectorReport
    name: str


def models_of_run(run: Path) -> list[TrainedModel]:
    """Return the models in the folder `run`, or the model `run` if it is a file.

    Raises UserError or UsageError, which says what to do, if there is none, if one is not finished,
    or if files do not belong together.
    """
    if run.suffix == ".keras" and not run.is_dir():
        models = [trained_model(run)]
    else:
        if not run.is_dir():
            raise UsageError(f"there is no run {run}: `python -m training train` makes one")
        models = [trained_model(path) for path in sorted(run.glob("[!.]*.keras"))]
    if not models:
        raise UsageError(f"the run {run} holds no .keras model: it has not completed an epoch")
    name, times = Counter(model.name for model in models).most_common(1)[0]
    if times > 1:
        paths = " and ".join(str(model.path) for model in models if model.name == name)
        raise UsageError(f"{paths} would both become {name}.keras: give one of these files")
    return models


def trained_model(path: Path) -> TrainedModel:
    """Return the model `path` with its report; raises UserError if the report is not its own."""
    if not path.is_file():
        raise UserError(f"there is no model {path}")
    place = report_path(path)
    if not place.is_file():
        raise UserError(
            f"{path} has no report {place.name} beside it: its run has not ended; --resume"
            " continues it"
        )
    report: Report | DetectorReport
    if is_detector_report(place):
        report, name = read_detector_report(place), DETECTOR_NAME
    else:
        report, name = read_report(place), MODEL_NAME
        if len(report.labels) not in LABELS:
            raise UserError(f"the report {place} has {len(report.labels)} labels: expected 2 or 3")
    if report.keras_sha256 != digest(path.read_bytes()):
        raise UserError(
            f"the report {place} belongs to another model than {path}: if its run was interrupted,"
            " --resume continues it"
        )
    return TrainedModel(path, report, name)
