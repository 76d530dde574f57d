"""`python -m training adopt`: its options, and the replacement of a model in models/."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.common.errors import UsageError, UserError
from edge.common.file_access import access_problem
from training.adoption.comparison import Comparison, Figure
from training.adoption.trained_models import TrainedModel, models_of_run, trained_model
from training.data.command_options import add_data_option
from training.face_detector.detector_report_file import DetectorReport
from training.fit.run_paths import data_of_run
from training.network.model_report import Report, report_path


def add_adopt_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `python -m training adopt`."""
    parser.add_argument(
        "run_folder",
        type=Path,
        metavar="RUN",
        help="folder of a finished run, such as runs/mask, or one .keras file in it",
    )
    add_data_option(
        parser,
        "Both models are measured on the test splits of these data sets (default: the data sets of"
        " the run).",
        required=False,
    )
    parser.add_argument(
        "--models",
        type=Path,
        default=Path("models"),
        metavar="DIR",
        help="folder of the models that the new ones replace (default: %(default)s)",
    )
    parser.add_argument(
        "--anyway", action="store_true", help="replace the present models even by worse ones"
    )
    parser.set_defaults(run=run_adopt, interrupted="stopped; no model was replaced")


def run_adopt(options: argparse.Namespace) -> int:
    """Compare the models of a run with the present ones, print the figures, and replace them.

    Raises UserError without replacing any if one of the new models is worse, except with
    `--anyway`.
    """
    run: Path = options.run_folder
    models = models_of_run(run)
    folder: Path = options.models
    if not folder.is_dir():
        raise UsageError(f"the folder of the models, {folder}, does not exist: give --models DIR")
    if any(model.path.resolve().parent == folder.resolve() for model in models):
        raise UsageError(f"{run} is in {folder} already: give the folder of a run")
    data = options.data or data_of_run(run if run.is_dir() else run.parent)
    comparisons = [_compare(model, folder / f"{model.name}.keras", data) for model in models]
    worse = []
    for each in comparisons:
        sys.stdout.write("\n".join([*each.lines(), "", ""]))
        worse += [f"{each.new} is worse than {each.present} ({'; '.join(each.worse)})"] * bool(
            each.worse
        )
    sys.stdout.flush()
    if worse and not options.anyway:
        raise UserError(
            f"nothing is replaced, because {' and '.join(worse)}; --anyway (make:"
            " ADOPT_ARGS=--anyway) replaces it"
        )
    for each in comparisons:
        _replace(each.new, each.present)
        sys.stdout.write(f"wrote {each.present} and {report_path(each.present)}\n")
    places = " ".join(str(each.present) for each in comparisons)
    sys.stdout.write(f"now convert, with the data sets of the run: make convert ONLY='{places}'\n")
    return 0


def _compare(model: TrainedModel, place: Path, data: Sequence[Path]) -> Comparison:
    try:
        present = trained_model(place) if place.exists() else None
    except UserError as error:
        raise UserError(
            f"the present model cannot be measured: {error}; restore it (git checkout {place}"
            f" {report_path(place)}), or delete it to adopt the new one without a comparison"
        ) from None
    if present is not None and present.name != model.name:
        raise UserError(f"{place} is a model of another kind than {model.path}")
    both = [model] if present is None else [model, present]
    on, figures = _measure(both, data)
    return Comparison(model.path, place, on, figures[0], figures[1] if present else ())


def _measure(
    models: Sequence[TrainedModel], data: Sequence[Path]
) -> tuple[str, list[list[Figure]]]:
    """Return what models of the same kind were measured on, and the figures of each."""
    from training.adoption.classifier_figures import (
        classifier_figures,
        compared_answers,
        test_sets,
    )
    from training.adoption.detector_figures import boxed_test_pictures, detector_figures

    if isinstance(models[0].report, DetectorReport):
        pictures = boxed_test_pictures(data)
        found = [
            detector_figures(model.path, model.report, pictures)
            for model in models
            if isinstance(model.report, DetectorReport)
        ]
        return f"{len(pictures)} test pictures", found
    reports = [model.report for model in models if isinstance(model.report, Report)]
    labels = compared_answers([report.labels for report in reports])
    answers = [(test_sets(data, each), each) for each in labels]
    found = [
        classifier_figures(model.path, report, answers)
        for model, report in zip(models, reports, strict=True)
    ]
    return f"the test faces of {', '.join(each.name for each in answers[-1][0])}", found


def _replace(new: Path, place: Path) -> None:
    """Copy a model and its report to their place.

    A crash between the two leaves a report of another model, which `convert` and `adopt` refuse.
    """
    pairs = [(new, place), (report_path(new), report_path(place))]
    parts = [target.with_name(f".{target.name}.part") for _, target in pairs]
    try:
        for (source, _), part in zip(pairs, parts, strict=True):
            shutil.copyfile(source, part)
        for (_, target), part in zip(pairs, parts, strict=True):
            part.replace(target)
    except OSError as error:
        for part in parts:
            part.unlink(missing_ok=True)
        reason = access_problem([target for _, target in pairs]) or error.strerror
        raise UserError(f"{place} cannot be written: {reason}") from None
