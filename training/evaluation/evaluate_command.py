"""`python -m training evaluate`: its options and its output."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import sys
from pathlib import Path

from edge.common.errors import UsageError
from training.data.command_options import add_answer_option, add_data_option, add_model_options
from training.data.datasets import check_distinct
from training.data.layouts import SPLIT_FOLDERS
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
from training.evaluation.left_out_report import read_left_out
from training.evaluation.mistakes import refuse_project_folder, write_mistakes
from training.evaluation.predictions import ALL, pool
from training.evaluation.report_folder import write_report_folder
from training.evaluation.scorers import Scorer, load_scorer
from training.evaluation.terminal_report import report_lines
from training.evaluation.train_overlap import training_fingerprints

log = logging.getLogger(__name__)

JSON_FIELDS = """
--json prints one object per data set with these fields: model, runtime, data (the data set's name)
and split; left_out (number of faces that the model has no label for, that are narrower than 28 px,
or whose picture cannot be decoded) and pictures (number of pictures); figures: accuracy, count,
by_label.LABEL.{precision, recall, f1, count} and confusion[true label][predicted label];
alerts (at the model's own threshold), alerts_at_2_percent (at the threshold that 2% of the
evaluated masked faces reach) and alerts_at_chosen (at the threshold in `chosen`, which was chosen
on validation splits), each with threshold, masked_flagged, bare_flagged and flagged.LABEL;
accuracy; macro.{precision, recall, f1}; by_label.LABEL.{precision, recall, f1, auc,
average_precision, recall_at_precision} (the highest recall with a precision of at least 0.7);
answer_reliability (of the predicted label's score) and alert_reliability (of
the no_mask score), each with ece and bins; slices.{source, width, brightness, skin, kind, colour,
framing}[] with name, accuracy, flagged.LABEL and ece (of the predicted label's score);
without_copies: of, copies, accuracy; bootstrap (how the intervals were computed). A metric with an
interval is {value, low, high, count}. A value is null where no face or no threshold defines it.
"""


def add_evaluate_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `python -m training evaluate`."""
    parser.epilog = JSON_FIELDS
    add_model_options(parser)
    add_answer_option(parser)
    add_data_option(parser)
    parser.add_argument(
        "--split",
        choices=[ALL, *Split],
        help="evaluate this split of each data set (default: test where the data set has splits,"
        " which are train/validation/test folders or boxed scenes; all for plain class folders)",
    )
    parser.add_argument(
        "--false-alarms",
        type=_share,
        metavar="SHARE",
        help="choose the lowest alert threshold at which at most this share of the masked faces in"
        " the validation splits is flagged, and report alerts at this threshold where test splits"
        f" are evaluated (default: {DEFAULT_FALSE_ALARMS})",
    )
    parser.add_argument(
        "--without-copies-of",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="DIR",
        help="also report the accuracy without the faces that are near-duplicates of a picture in"
        " the train split of these data sets (default: none)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="write report.md, evaluation.json and plots to this folder (default: write none)",
    )
    parser.add_argument(
        "--left-out",
        type=Path,
        metavar="FILE",
        help="include in report.md the table of `training cross --left-out`, whose left-out.json"
        " this is (default: none)",
    )
    parser.add_argument(
        "--mistakes",
        type=Path,
        metavar="DIR",
        help="write contact sheets of the worst mistakes and a list of all mistakes to this folder;"
        " they show people, so the folder must be outside the project or ignored by git"
        " (default: write none)",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one line of JSON per data set, and one for all together if there are several,"
        " instead of text",
    )
    parser.set_defaults(run=run_evaluate)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(
            f"{text} is not a share between 0 and 1, such as {DEFAULT_FALSE_ALARMS}"
        )
    return share


def run_evaluate(options: argparse.Namespace) -> int:
    """Print the metrics of each data set, and write the report and the mistakes if requested."""
    _check_output_folders(options)
    left_out = None if options.left_out is None else read_left_out(options.left_out)
    check_distinct(options.data)
    scorer = load_scorer(options.model, options.runtime, options.classes)
    tasks = [plan_task(scorer.labels, root, options.split) for root in options.data]
    for task in tasks:
        warn_about_training_data(scorer, task)
    tasks = with_distinct_names(tasks)
    chosen = choose_on_validation(scorer, tasks, options.false_alarms or DEFAULT_FALSE_ALARMS)
    if chosen is None and options.false_alarms is not None:
        raise UsageError(
            "--false-alarms: the threshold is chosen on validation splits and applied to test"
            " splits, but no data set that is evaluated on its test split has masked faces in its"
            " validation split; adding --split test may help"
        )
    fingerprints = training_fingerprints(options.without_copies_of)
    results = []
    for task in tasks:
        results.append(run_task(scorer, options.model, task, chosen, fingerprints, altered=True))
        _print_evaluation(results[-1].evaluation, options.json)
    if len(results) > 1:
        _print_evaluation(pool_results(results).evaluation, options.json)
    if options.out is not None:
        report = write_report_folder(options.out, options.model, results, left_out)
        log.info("written: %s", report)
    if options.mistakes is not None:
        predictions = pool([each.predictions for each in results])
        log.info("written: %s", ", ".join(map(str, write_mistakes(options.mistakes, predictions))))
    return 0


def _print_evaluation(evaluation: Evaluation, as_json: bool) -> None:
    lines = [json.dumps(dataclasses.asdict(evaluation))] if as_json else report_lines(evaluation)
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _check_output_folders(options: argparse.Namespace) -> None:
    if options.mistakes is not None:
        refuse_project_folder(options.mistakes, "--mistakes")
    if options.out is not None and options.out.exists() and not options.out.is_dir():
        raise UsageError(f"--out {options.out} is not a folder")
    if options.left_out is not None and options.out is None:
        raise UsageError("--left-out is for the report: give its folder with --out")


def warn_about_training_data(scorer: Scorer, task: EvaluationTask) -> None:
    """Log a warning if the model was trained on pictures that it is about to be evaluated on."""
    name, (within, _, folder) = task.data.name, task.data.name.rpartition("/")
    if name in scorer.trained_on and task.split in (ALL, Split.TRAIN):
        log.warning(
            "warning: the model was trained on pictures of %s, so the metrics of %s are too"
            " optimistic; use --split test",
            name,
            "all its splits" if task.split == ALL else f"its {task.split} split",
        )
    elif within in scorer.trained_on and SPLIT_FOLDERS.get(folder.lower()) is Split.TRAIN:
        log.warning(
            "warning: the model was trained on the pictures of %s, so these metrics are too"
            " optimistic; evaluate %s with --split test",
            name,
            task.data.root.resolve().parent,
        )
