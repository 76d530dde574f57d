"""`python -m training evaluate`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import sys
from pathlib import Path

from edge.classification.interpreter import RUNTIMES
from edge.common.errors import UsageError
from training.data.datasets import check_distinct
from training.data.layouts import LAYOUTS, SPLIT_FOLDERS
from training.data.splits import Split
from training.evaluation.evaluate import (
    EvaluationTask,
    choose_on_validation,
    plan_task,
    pool_results,
    run_task,
    with_distinct_names,
)
from training.evaluation.evaluation_metrics import DEFAULT_FALSE_ALARMS, Evaluation
from training.evaluation.mistakes import refuse_project_folder, write_mistakes
from training.evaluation.predictions import ALL, pool
from training.evaluation.report_folder import write_report_folder
from training.evaluation.scorers import Scorer, load_scorer
from training.evaluation.terminal_report import report_lines
from training.evaluation.train_overlap import training_fingerprints

log = logging.getLogger(__name__)

JSON_FIELDS = """
--json prints one object per data set: model, runtime, data, split; left_out (faces of labels
that the model lacks, under 28 px, or not to be decoded), pictures; figures: accuracy, count,
by_label.LABEL.{precision, recall, f1, count}, confusion[true][said]; alerts (at the model's own
threshold), alerts_at_2_percent (of the masked faces evaluated) and alerts_at_chosen (on
validation: `chosen` says how), each threshold, masked_flagged, bare_flagged, flagged.LABEL;
accuracy, macro.{precision, recall, f1}, by_label.LABEL.{precision, recall, f1, auc,
average_precision}; answer_reliability and alert_reliability: ece, bins; slices.{source, width,
brightness, kind}[]: name, accuracy, flagged.LABEL; without_copies: of, copies, accuracy;
bootstrap says how intervals were made. What has an interval is {value, low, high, count}.
null: no such faces, or no threshold.
"""


def add_evaluate_options(parser: argparse.ArgumentParser) -> None:
    """The options of `python -m training evaluate`."""
    parser.epilog = LAYOUTS + JSON_FIELDS
    parser.add_argument("--model", type=Path, required=True, help="a .tflite or .keras file")
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        action="extend",
        required=True,
        metavar="DIR",
        help="folders of data sets, one or more; the option may be repeated",
    )
    parser.add_argument(
        "--split",
        choices=[ALL, *Split],
        help="default: test where the data set has parts (train/validation/test folders, or"
        " boxed scenes, parted by file name), all of plain class folders",
    )
    parser.add_argument(
        "--runtime", choices=[name for name, _ in RUNTIMES], help="for a .tflite; default: any"
    )
    parser.add_argument(
        "--false-alarms",
        type=_share,
        metavar="SHARE",
        help="where test parts are evaluated, also report the lowest threshold that at most this"
        f" share of the masked faces in the validation parts reach"
        f" (default: {DEFAULT_FALSE_ALARMS})",
    )
    parser.add_argument(
        "--without-copies-of",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="DIR",
        help="report accuracy a second time, without the faces that all but repeat one in the"
        " train parts of these data sets",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write report.md, evaluation.json and plots there"
    )
    parser.add_argument(
        "--mistakes",
        type=Path,
        metavar="DIR",
        help="write contact sheets of the worst mistakes and a list of all there: pictures of"
        " people, so not into the project",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="one JSON object a data set, on a line, and last all together if there are several",
    )
    parser.set_defaults(run=run_evaluate)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"{text} is no share such as {DEFAULT_FALSE_ALARMS}")
    return share


def run_evaluate(options: argparse.Namespace) -> int:
    """Print the figures of each data set, and write what was asked for."""
    _check_output_folders(options)
    check_distinct(options.data)
    scorer = load_scorer(options.model, options.runtime)
    todos = [plan_task(scorer, root, options.split) for root in options.data]
    for todo in todos:
        warn_about_training_data(scorer, todo)
    todos = with_distinct_names(todos)
    chosen = choose_on_validation(scorer, todos, options.false_alarms or DEFAULT_FALSE_ALARMS)
    if chosen is None and options.false_alarms is not None:
        raise UsageError(
            "--false-alarms: the threshold is chosen on validation parts and tried on test parts,"
            " and no data set here has both with masked faces; perhaps add --split test"
        )
    looks = training_fingerprints(options.without_copies_of)
    found = []
    for todo in todos:
        found.append(run_task(scorer, options.model, todo, chosen, looks))
        _print_evaluation(found[-1].evaluation, options.json)
    if len(found) > 1:
        _print_evaluation(pool_results(found).evaluation, options.json)
    if options.out is not None:
        log.info("written: %s", write_report_folder(options.out, options.model, found))
    if options.mistakes is not None:
        answers = pool([each.answers for each in found])
        log.info("written: %s", ", ".join(map(str, write_mistakes(options.mistakes, answers))))
    return 0


def _print_evaluation(found: Evaluation, as_json: bool) -> None:
    lines = [json.dumps(dataclasses.asdict(found))] if as_json else report_lines(found)
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _check_output_folders(options: argparse.Namespace) -> None:
    if options.mistakes is not None:
        refuse_project_folder(options.mistakes)
    if options.out is not None and options.out.exists() and not options.out.is_dir():
        raise UsageError(f"--out {options.out} is no folder")


def warn_about_training_data(scorer: Scorer, todo: EvaluationTask) -> None:
    """Say it when the model was trained on pictures that it is about to be evaluated on."""
    name, (within, _, folder) = todo.data.name, todo.data.name.rpartition("/")
    if name in scorer.trained_on and todo.split in (ALL, Split.TRAIN):
        log.warning(
            "warning: the model was trained on pictures of %s, so figures of its %s part flatter"
            " it; use --split test",
            name,
            "whole" if todo.split == ALL else todo.split,
        )
    elif within in scorer.trained_on and SPLIT_FOLDERS.get(folder.lower()) is Split.TRAIN:
        log.warning(
            "warning: the model was trained on the pictures of %s, so these figures flatter it;"
            " evaluate %s with --split test",
            name,
            todo.data.root.resolve().parent,
        )
