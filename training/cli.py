"""`python -m training train` and `python -m training evaluate`."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from edge.errors import UserError
from training.config import TrainConfig
from training.datasets import LABELS


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
        sys.stderr.write("stopped; `--resume` goes on after the last whole epoch\n")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_train(commands.add_parser("train", help="pictures ──► a Keras model"))
    return parser


def _add_train(parser: argparse.ArgumentParser) -> None:
    usual = TrainConfig()
    parser.add_argument(
        "--data", type=Path, action="append", required=True, help="a data set's folder; repeatable"
    )
    parser.add_argument("--out", type=Path, default=Path("models/mask.keras"))
    parser.add_argument("--run-folder", type=Path, help="state and history; default runs/<name>")
    parser.add_argument("--resume", action="store_true", help="go on after the last whole epoch")
    parser.add_argument("--epochs", type=int, default=usual.epochs)
    parser.add_argument("--batch", type=int, default=usual.batch)
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--limit", type=int, help="faces per data set, for a quick trial")
    parser.add_argument("--classes", type=int, choices=sorted(LABELS), default=usual.classes)
    parser.add_argument(
        "--licence",
        action="append",
        default=[],
        metavar="NAME=TEXT",
        help="what the card says of a data set's licence; NAME is its folder's name",
    )
    parser.set_defaults(run=_train)


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
