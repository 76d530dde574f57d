"""`python -m training COMMAND`: from public pictures to a model and its figures."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

from edge.classification.model_card import digest
from edge.common.errors import UsageError, UserError
from training.common.train_config import TrainConfig
from training.data import fetch
from training.data.datasets import LABELS
from training.data.layouts import LAYOUTS
from training.detector_sweep.frontier_command import add_frontier_options
from training.evaluation.evaluate_command import add_evaluate_options
from training.evaluation.stress import add_stress_options
from training.exploration import explore_command
from training.fit.binary_model import add_binary_options
from training.fit.cross_dataset import add_cross_options
from training.network.model import NETS


def main(arguments: list[str] | None = None) -> int:
    """Run one command; a UserError becomes one line on standard error."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        return int(options.run(options))
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write(getattr(options, "stopped", "stopped") + "\n")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    train = _command(commands, "train", "pictures ──► a Keras model")
    _add_train(train)
    add_binary_options(commands.add_parser("binary", help="a 3-class model ──► a 2-class one"))
    add_cross_options(_command(commands, "cross", "train on each data set alone, test on all"))
    add_stress_options(
        commands.add_parser("stress", help="held-out faces in bad light, with beards, hands …")
    )
    add_evaluate_options(_command(commands, "evaluate", "a model's figures on data sets"))
    add_frontier_options(
        commands.add_parser("frontier", help="the face detector's settings, compared")
    )
    look = _command(commands, "explore", "look at the data first: a report with plots")
    _add_data(look)
    explore_command.add_explore_options(look)
    fetch.add_dataset_options(commands.add_parser("dataset", help="public data sets ──► data/"))
    return parser


def _command(commands: Any, name: str, what: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=what,
        epilog=LAYOUTS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        action="extend",
        required=True,
        metavar="DIR",
        help="folders of data sets (drawn below), one or more; the option may be repeated",
    )


def positive_int(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def _add_train(parser: argparse.ArgumentParser) -> None:
    usual = TrainConfig()
    _add_data(parser)
    parser.add_argument(
        "--out", type=Path, required=True, help="the model, such as models/mask.keras"
    )
    parser.add_argument("--run-folder", type=Path, help="state and history; default runs/<name>")
    parser.add_argument("--resume", action="store_true", help="go on after the last whole epoch")
    parser.add_argument(
        "--fresh", action="store_true", help="begin anew though the run folder holds a run"
    )
    parser.add_argument(
        "--epochs", type=positive_int, default=usual.epochs, help="default: %(default)s"
    )
    parser.add_argument(
        "--batch", type=positive_int, default=usual.batch, help="default: %(default)s"
    )
    parser.add_argument(
        "--seed", type=int, default=usual.seed, help="fixes order and augmentation; %(default)s"
    )
    parser.add_argument("--limit", type=positive_int, help="faces per data set, for a quick trial")
    parser.add_argument(
        "--classes",
        type=int,
        choices=sorted(LABELS),
        default=usual.classes,
        help="2: mask or not; 3: with masks worn incorrectly (default: %(default)s)",
    )
    parser.add_argument(
        "--net",
        choices=sorted(NETS),
        default=usual.net,
        help="small: for the Pi; large: to teach it (default: %(default)s)",
    )
    parser.add_argument(
        "--teacher", type=Path, help="a .keras of the same classes, whose answers are learnt too"
    )
    parser.add_argument(
        "--start",
        type=Path,
        help="a .keras of the same classes and net to begin with instead of at random, such as"
        " the shipped one with pictures from your own door",
    )
    parser.add_argument(
        "--learning-rate",
        type=positive_float,
        default=usual.learning_rate,
        help="the highest; less with --start (default: %(default)s)",
    )
    parser.add_argument(
        "--put-on",
        type=share,
        default=usual.put_on,
        help="share of the looks at bare faces that put on another face's mask, rightly or"
        " wrongly, or a collar (default: %(default)s)",
    )
    parser.add_argument(
        "--balance",
        type=share,
        default=usual.balance,
        help="0: labels weigh as often as they occur; 1: all the same (default: %(default)s)",
    )
    parser.add_argument(
        "--corrections",
        type=Path,
        metavar="FILE",
        help="labels that a person read again, for training alone, such as"
        " training/corrections.csv",
    )
    parser.add_argument(
        "--draws",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="the data set's weight: looks at each of its faces in an epoch; NAME is its folder's"
        f" name (default: {usual.annotated_draws:g} for boxed scenes, 1 for other sets)",
    )
    parser.add_argument(
        "--patience",
        type=positive_int,
        default=usual.patience,
        help="stop after so many epochs that made nothing better; default: %(default)s",
    )
    parser.add_argument(
        "--licence",
        action="append",
        default=[],
        metavar="NAME=TEXT",
        help="what the card says of a data set's licence; NAME is its folder's name",
    )
    parser.set_defaults(
        run=_train, stopped="stopped; `--resume` goes on after the last whole epoch"
    )


def _train(options: argparse.Namespace) -> int:
    from training.fit.training_run import run_training

    config = TrainConfig(
        epochs=options.epochs,
        batch=options.batch,
        seed=options.seed,
        limit=options.limit,
        classes=options.classes,
        net=options.net,
        draws=_draws(options.draws),
        learning_rate=options.learning_rate,
        put_on=options.put_on,
        balance=options.balance,
        corrections=_digest(options.corrections, "the corrections"),
        start=_digest(options.start, "the model to start from,"),
        teacher=_digest(options.teacher, "the teacher"),
        patience=options.patience,
    )
    return run_training(options, config)


def _draws(arguments: list[str]) -> dict[str, float]:
    draws = {}
    for argument in arguments:
        name, _, number = argument.partition("=")
        try:
            draws[name] = float(number)
        except ValueError:
            draws[name] = -1.0
        if not 0 < draws[name] <= 100:
            raise UsageError(f"--draws {argument}: expected NAME=NUMBER, such as scenes=3")
    return draws


def _digest(model: Path | None, what: str) -> str:
    if model is None:
        return ""
    try:
        return digest(model.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read {what} {model}: {error.strerror}") from None


def positive_float(text: str) -> float:
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError(f"{number:g} is not more than 0")
    return number


def share(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{number:g} is not between 0 and 1")
    return number
