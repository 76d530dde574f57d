"""Options that several commands of `python -m training` share, each defined once."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from edge.inference.interpreter import RUNTIMES
from training.common.schedule import Schedule
from training.data.datasets import LABELS
from training.data.layouts import LAYOUTS


def add_data_option(
    parser: argparse.ArgumentParser,
    purpose: str = "",
    only_scenes: bool = False,
    required: bool = True,
) -> None:
    """Add the option `--data`, which takes one or more folders and may be repeated.

    A folder is written as in `training.data.datasets.read_dataset`: DIR, or LABEL=DIR.
    `purpose` is one more sentence for the help. With `only_scenes` the help names the layout of
    boxed photographs alone; otherwise `--help` ends with a drawing of all layouts.
    """
    if only_scenes:
        folders = (
            "folders of photographs in which every face is boxed: images/ and annotations/*.xml"
        )
    else:
        folders = (
            "folders with a data set each, in one of the layouts drawn below, or LABEL=DIR, such as"
            " no_mask=portraits, for a folder whose pictures all have the same label"
        )
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.epilog = LAYOUTS + (parser.epilog or "")
    text = f"{folders}; the option may be repeated{purpose and '. '}{purpose}"
    add_folders_option(parser, text, required)


def add_folders_option(parser: argparse.ArgumentParser, text: str, required: bool = True) -> None:
    """Add the option `--data`, one or more folders that `text` describes."""
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        action="extend",
        required=required,
        metavar="DIR",
        help=f"one or more {text}",
    )


def add_run_options(parser: argparse.ArgumentParser, model: str, folder: str) -> None:
    """Add `--run-folder`, `--out`, `--resume`, `--fresh` and `--worker-wait`.

    `model` and `folder` name the default model and run folder in the help.
    """
    parser.add_argument(
        "--run-folder",
        type=Path,
        metavar="DIR",
        help="folder of the run, for the model, its report, the checkpoint, history, curves and"
        f" log; `adopt` puts the model into models/ (default: {folder}, or runs/ and the name of"
        " --out)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="the model to write, and its report beside it; a model of another run is not"
        f" overwritten (default: {model} in the run folder)",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue the run in the run folder after its last complete epoch",
    )
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="start a new run even if the run folder holds one, which is overwritten",
    )
    parser.add_argument(
        "--worker-wait",
        type=positive_float,
        default=300.0,
        metavar="SECONDS",
        help="how long to wait at the start for the other machines that the variable TF_CONFIG of"
        " the environment lists (default: %(default)g)",
    )


def add_schedule_options(
    parser: argparse.ArgumentParser,
    defaults: Schedule,
    samples: str,
    score: str = "validation score",
    rate_remark: str = "",
) -> None:
    """Add `--epochs`, `--patience`, `--batch`, `--learning-rate` and `--seed`.

    `samples` names what a batch consists of, and `score` what must improve.
    """
    for name, kind, default, metavar, text in (
        ("--epochs", positive_int, defaults.epochs, "NUMBER", "train for at most this many epochs"),
        (
            "--patience", positive_int, defaults.patience, "NUMBER",
            f"stop after this many epochs without a better {score}",
        ),
        ("--batch", positive_int, defaults.batch, "NUMBER", f"number of {samples} in a batch"),
        (
            "--learning-rate", positive_float, defaults.learning_rate, "RATE",
            f"peak learning rate{rate_remark}",
        ),
    ):  # fmt: skip
        parser.add_argument(
            name,
            type=kind,
            default=default,
            metavar=metavar,
            help=f"{text} (default: %(default)s)",
        )
    add_seed_option(
        parser, f"the initial weights, the order of the {samples}, and augmentation", defaults.seed
    )


def add_no_face_option(parser: argparse.ArgumentParser, purpose: str) -> None:
    """Add `--no-face DIR`, crops without a face; `purpose` says what they are used for."""
    parser.add_argument(
        "--no-face",
        type=Path,
        metavar="DIR",
        help=f"folder of boxes without a face, {purpose}: DIR/train and DIR/validation contain"
        " square pictures whose middle 5/8 are the box, as evaluate-alerts --no-face writes them"
        " (default: only boxes without a face in the boxed photographs of --data)",
    )


def add_limit_option(parser: argparse.ArgumentParser, remark: str = ", for a quick trial") -> None:
    """Add `--limit NUMBER`, the number of faces that are used of each data set."""
    parser.add_argument(
        "--limit",
        type=positive_int,
        metavar="NUMBER",
        help="use at most this many faces of each data set, evenly spread over it"
        f"{remark} (default: all)",
    )


def add_seed_option(parser: argparse.ArgumentParser, fixes: str, default: int = 1) -> None:
    """Add `--seed NUMBER`; `fixes` names what the seed determines."""
    parser.add_argument(
        "--seed",
        type=int,
        default=default,
        metavar="NUMBER",
        help=f"seed of the random numbers that determine {fixes} (default: %(default)s)",
    )


def add_classes_option(parser: argparse.ArgumentParser, default: int) -> None:
    """Add `--classes`, the number of labels."""
    parser.add_argument(
        "--classes",
        type=int,
        choices=sorted(LABELS),
        default=default,
        help="2 labels: mask and no_mask; 3 labels: also incorrect_mask (default: %(default)s)",
    )


def add_answer_option(parser: argparse.ArgumentParser, default: int | None = None) -> None:
    """Add `--classes`, the number of labels that a model of three labels answers with."""
    shown = "all labels of the model" if default is None else default
    parser.add_argument(
        "--classes",
        type=int,
        choices=sorted(LABELS),
        default=default,
        help="labels that a model of three labels answers with, as in classifier.classes; 2: mask"
        f" and no_mask, 3: also incorrect_mask (default: {shown})",
    )


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add `--model`, a model of either format, and `--runtime` for a `.tflite` model."""
    parser.add_argument(
        "--model", type=Path, required=True, metavar="FILE", help="a .tflite or .keras model"
    )
    parser.add_argument(
        "--runtime",
        choices=[name for name, _ in RUNTIMES],
        help="runtime for a .tflite model (default: the first of these that works on this machine)",
    )


def positive_int(text: str) -> int:
    """Parse an integer of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def positive_float(text: str) -> float:
    """Parse a finite number above 0."""
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{number:g} is not a finite number above 0")
    return number


def share(text: str) -> float:
    """Parse a share from 0 to 1, both included."""
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{number:g} is not between 0 and 1")
    return number
