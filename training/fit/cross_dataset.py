"""`python -m training cross`: train on one data set and test on all, to see if the style reveals
labels; or, with `--left-out`, train without one data set and test on it (`training.fit.left_out`).

A network that has learnt faces is nearly as accurate on another data set as on its own. A network
that has learnt a data set's sharpness, colours and compression is much less accurate on another
one. Two networks are trained on each data set alone, without and with augmentation of the style
(`training.augmentation.augment`).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np

from edge.classification.model_card import ALERT_LABEL
from training.common.metrics import alert_threshold
from training.common.train_config import TrainConfig
from training.data.command_options import (
    add_classes_option,
    add_data_option,
    add_limit_option,
    add_seed_option,
    positive_int,
)
from training.data.datasets import (
    LABELS,
    check_classes,
    check_distinct,
    read_datasets,
)
from training.data.splits import Split
from training.fit.left_out import run_left_out
from training.fit.prepare import CropSet, prepare_beside, read_crops, read_held_out
from training.fit.run_paths import RunPaths
from training.fit.sampling_options import add_draw_options, check_draws, parse_draws
from training.fit.training_loop import predict, train
from training.fit.training_run import check_start, load_start
from training.network.model import NET_NAMES

STEPS = 1000  # the same number for small and large data sets
FALSE_ALARMS = 0.02
STYLES = {"as they are": 0.0, "style drawn anew": 1.0}


@dataclasses.dataclass(frozen=True)
class TestResult:
    """The result of a network on one test split with `faces` faces; shares are 0 to 1.

    `bare_flagged`: the share of the bare faces that reach the threshold which 2% of the masked
    faces reach.
    """

    accuracy: float
    bare_flagged: float
    faces: int


@dataclasses.dataclass(frozen=True)
class SourceResult:
    """The results of a network that was trained on `source` alone.

    `on` holds its result on each data set, by the name of the data set.
    """

    source: str
    style: str
    on: dict[str, TestResult]


def add_cross_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `python -m training cross`."""
    add_data_option(
        parser,
        "Each data set needs pictures of every label; with --left-out the"
        " data sets that remain need them together.",
    )
    add_classes_option(parser, 2)
    parser.add_argument(
        "--left-out",
        nargs="*",
        metavar="NAME",
        help="train without each data set in turn, or only without those that are named, on all"
        " others, and test on it; without this option, train on each data set alone, and test on"
        " all",
    )
    parser.add_argument(
        "--net",
        choices=NET_NAMES,
        default=TrainConfig().net,
        help="architecture of the networks, as in train (default: %(default)s)",
    )
    parser.add_argument(
        "--start",
        type=Path,
        metavar="FILE",
        help="weights that each network starts from, as in train; with models that were trained on"
        " the data set that is left out, its figures are too good (default: random weights)",
    )
    parser.add_argument(
        "--steps",
        type=positive_int,
        default=STEPS,
        metavar="NUMBER",
        help="training steps of each network, rounded up to whole epochs; a step is a batch of 128"
        " faces (default: %(default)s)",
    )
    add_draw_options(parser)
    add_limit_option(parser)
    add_seed_option(parser, "the initial weights, the order of the faces, and augmentation")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/cross"),
        metavar="DIR",
        help="folder for the networks, their runs and cross.json, or with --left-out left-out.json,"
        " left-out.md and a report on each data set; runs that it holds are resumed"
        " (default: %(default)s)",
    )
    parser.set_defaults(run=run_cross)


def run_cross(options: argparse.Namespace) -> int:
    """Train and test the networks, print a Markdown table, and write the results."""
    check_distinct(options.data)
    base_config = TrainConfig(
        limit=options.limit,
        seed=options.seed,
        classes=options.classes,
        net=options.net,
        draws=parse_draws(options.draws),
        put_on=options.put_on,
    )
    if options.left_out is not None:
        return run_left_out(options, base_config)
    labels = LABELS[options.classes]
    datasets = read_datasets(options.data, labels)
    check_draws(base_config.draws, (data.name for data in datasets))
    check_start(options.start, base_config)
    for data in datasets:
        check_classes([data], Split.TRAIN, labels)
        check_classes([data], Split.TEST, labels)
    test_crops, fingerprints = {}, []
    for data in datasets:
        test_crops[data.name], read = read_crops(data, Split.TEST, options.limit, labels)
        fingerprints += read
    rows = []
    for data in datasets:
        own = read_held_out([data], base_config, labels)
        own = dataclasses.replace(own, fingerprints=own.fingerprints + fingerprints)
        for style, share in STYLES.items():
            config = dataclasses.replace(
                base_config, style=share, put_on=base_config.put_on * share
            )
            prepared = prepare_beside([data], own, config, labels)
            epochs = math.ceil(options.steps / prepared.training.steps(config.batch))
            config = dataclasses.replace(config, epochs=epochs, patience=epochs)
            place = options.out / f"{data.name}-{share:g}"
            network = _train_on(prepared, config, place, options.start)
            on = {name: _test(network, crops, labels) for name, crops in test_crops.items()}
            rows.append(SourceResult(data.name, style, on))
    options.out.mkdir(parents=True, exist_ok=True)
    found = {"steps": options.steps, "rows": [dataclasses.asdict(row) for row in rows]}
    (options.out / "cross.json").write_text(json.dumps(found, indent=1) + "\n")
    sys.stdout.write("\n".join(markdown_table(rows)) + "\n")
    return 0


def _train_on(prepared: Any, config: TrainConfig, path: Path, start_path: Path | None) -> Any:
    labels = LABELS[config.classes]
    from training.common.quiet_keras import load_model_file

    paths = RunPaths(path.with_name(f"{path.name.replace('/', '-')}.keras"), path)
    start = load_start(start_path, config, labels)
    train(prepared, config, labels, paths, resume=paths.state.exists(), start=start)
    return load_model_file(paths.model)


def _test(network: Any, crops: CropSet, labels: tuple[str, ...]) -> TestResult:
    scores = predict(network, crops.pixels)
    bare, masked = (labels.index(label) for label in (ALERT_LABEL, "mask"))
    column = scores[:, bare]
    threshold = alert_threshold([column[crops.truth == masked]], FALSE_ALARMS)
    return TestResult(
        round(float(np.mean(scores.argmax(axis=1) == crops.truth)), 4),
        round(float(np.mean(column[crops.truth == bare] >= threshold)), 4),
        len(crops.truth),
    )


def markdown_table(rows: list[SourceResult]) -> list[str]:
    """Return a Markdown table: a row for each network, a column for each data set.

    A cell is "accuracy / share of bare faces flagged", in per cent.
    """
    names = list(rows[0].on)
    head = ["trained on", "pictures", *(f"on {name} ({rows[0].on[name].faces})" for name in names)]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        cells = [f"{row.on[n].accuracy:.1%} / {row.on[n].bare_flagged:.1%}" for n in names]
        lines.append([row.source, row.style, *cells])
    return [f"| {' | '.join(line)} |" for line in lines]
