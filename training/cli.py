"""`python -m training dataset|explore|train|evaluate`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import sys
from pathlib import Path
from typing import Any

from edge.errors import UserError
from edge.interpreter import RUNTIMES
from training import explore, fetch
from training.config import TrainConfig
from training.datasets import LABELS
from training.layouts import LAYOUTS
from training.splits import Split


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
        sys.stderr.write(f"{options.stopped}\n")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    train = _command(commands, "train", "pictures ──► a Keras model")
    _add_train(train)
    evaluate = _command(commands, "evaluate", "a model's figures on a data set")
    _add_evaluate(evaluate)
    look = _command(commands, "explore", "look at the data first: a report with plots")
    _add_data(look)
    explore.add_arguments(look)
    fetch.add_arguments(commands.add_parser("dataset", help="public data sets ──► data/"))
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


def _at_least_one(text: str) -> int:
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
        "--epochs", type=_at_least_one, default=usual.epochs, help="default: %(default)s"
    )
    parser.add_argument(
        "--batch", type=_at_least_one, default=usual.batch, help="default: %(default)s"
    )
    parser.add_argument(
        "--seed", type=int, default=usual.seed, help="fixes order and augmentation; %(default)s"
    )
    parser.add_argument("--limit", type=_at_least_one, help="faces per data set, for a quick trial")
    parser.add_argument(
        "--classes",
        type=int,
        choices=sorted(LABELS),
        default=usual.classes,
        help="2: mask or not; 3: with masks worn incorrectly (default: %(default)s)",
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
    from training.session import run_training

    config = TrainConfig(
        epochs=options.epochs,
        batch=options.batch,
        seed=options.seed,
        limit=options.limit,
        classes=options.classes,
    )
    return run_training(options, config)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, required=True, help="a .tflite or .keras file")
    _add_data(parser)
    parser.add_argument(
        "--split",
        choices=["all", *Split],
        help="default: test where the data set has parts (train/validation/test folders, or"
        " boxed scenes, parted by file name), all of plain class folders",
    )
    parser.add_argument(
        "--runtime", choices=[name for name, _ in RUNTIMES], help="for a .tflite; default: any"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a data set, on a line")
    parser.set_defaults(run=_evaluate, stopped="stopped")


def _evaluate(options: argparse.Namespace) -> int:
    from training.evaluate import as_text, evaluate

    for root in options.data:
        found = evaluate(options.model, root, options.split, options.runtime)
        lines = [json.dumps(dataclasses.asdict(found))] if options.json else as_text(found)
        sys.stdout.write("\n".join(lines) + "\n")
    return 0
