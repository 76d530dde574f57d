"""`mask-patrol bench` on the command line."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

from edge.common.errors import UsageError
from edge.config.settings import load_settings

#: More daemons than that would only measure how a machine behaves without memory.
MAX_CAMERAS = 64


def add_bench(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    add_common: Callable[[argparse.ArgumentParser], None],
) -> None:
    """Add the `bench` command; `add_common` adds the options that all commands share."""
    parser = commands.add_parser(
        "bench",
        help="measure what the pipeline costs on this machine",
        description="Play clips through the pipeline and print what it costs: time of each stage,"
        " CPU time for one minute of footage, frames per second, memory, and start-up time."
        " --against original plays them alternately through the pipeline of the original Mask"
        " Patrol, and prints ratios. An empty scene and a larger frame size are always measured."
        " Other programs on the machine affect times more than ratios.",
    )
    parser.add_argument(
        "clips",
        nargs="*",
        metavar="CLIP",
        help="a video file, a folder of pictures, or `demo` (default: demo)",
    )
    parser.add_argument(
        "--against",
        choices=("original",),
        help="compare with the original Mask Patrol: Haar cascade on every full frame, and a"
        " network of 3.4 million parameters",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write bench.json and the chart bench.png to DIR"
    )
    parser.add_argument(
        "--passes",
        type=_passes,
        default=3,
        metavar="N",
        help="how often each pipeline plays each clip (default: %(default)s)",
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        metavar="S",
        help="play only the first S seconds of each clip, for a quick trial",
    )
    parser.add_argument(
        "--instructions",
        action="store_true",
        help="count instructions with valgrind if perf cannot; this takes minutes",
    )
    parser.add_argument(
        "--cameras",
        type=_counts,
        metavar="N,…",
        help="measure instead what this many cameras on this machine cost together, such as"
        " 1,2,4,8: a daemon for each plays the demo clip once",
    )
    add_common(parser)
    parser.set_defaults(do=_bench)


def _bench(options: argparse.Namespace) -> int:
    if options.cameras is not None:
        if options.clips or options.against or options.out or options.instructions:
            raise UsageError("--cameras can only be combined with --json and --config")
        from edge.bench.several_cameras import bench_cameras

        return bench_cameras(load_settings(options.config), options.cameras, options.json)
    from edge.bench.benchmark import BenchOptions, bench

    return bench(
        load_settings(options.config),
        BenchOptions(
            options.clips,
            options.against == "original",
            options.passes,
            options.seconds,
            options.instructions,
            options.out,
            options.json,
        ),
    )


def _counts(text: str) -> list[int]:
    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        counts = []
    if not counts or not all(1 <= count <= MAX_CAMERAS for count in counts):
        raise argparse.ArgumentTypeError(
            f"{text} is not a list of numbers from 1 to {MAX_CAMERAS}, such as 1,2,4,8"
        )
    return counts


def _passes(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1000:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 1000")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not (math.isfinite(number) and number > 0.0):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number of seconds")
    return number
