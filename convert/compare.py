"""`python -m convert.compare`: times the original Mask Patrol's network against ours.

Both run as `.tflite` on one thread, alternating, in every installed runtime. The original has
random weights, which take the same time as trained ones.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from convert.latency import PairedTimes, paired_times
from convert.network.flatbuffer import parameters
from convert.original_model import original_flatbuffer
from edge.common.errors import UserError
from edge.inference.interpreter import RUNTIMES

MODEL = Path("models/mask.tflite")
PAIRS = 300


@dataclass(frozen=True)
class Size:
    """The size of a `.tflite` file in bytes, and the number of its parameters."""

    path: str
    bytes: int
    parameters: int


@dataclass(frozen=True)
class Speed:
    """Times in ms, and the median and quartiles of the ratio original / ours over the pairs."""

    runtime: str
    original_median_ms: float
    original_p95_ms: float
    ours_median_ms: float
    ours_p95_ms: float
    ratio: float
    ratio_lower_quartile: float
    ratio_upper_quartile: float


@dataclass(frozen=True)
class Comparison:
    """All results; `not_run`: the runtimes that could not run both models, with the reason."""

    original: Size
    ours: Size
    pairs: int
    speeds: list[Speed]
    not_run: dict[str, str]


def main(arguments: list[str] | None = None) -> int:
    """Run one comparison; a UserError becomes one line on standard error."""
    options = _parser().parse_args(arguments)
    try:
        found = compare(options.model, options.runs)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    lines = [json.dumps(asdict(found))] if options.json else as_text(found)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m convert.compare", description=__doc__)
    parser.add_argument(
        "--model", type=Path, default=MODEL, help="our model (default: %(default)s)"
    )
    parser.add_argument(
        "--runs",
        type=_at_least_ten,
        default=PAIRS,
        help="number of inferences of each network (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _at_least_ten(text: str) -> int:
    number = int(text)
    if number < 10:
        raise argparse.ArgumentTypeError(f"{number} is less than 10, too few for quartiles")
    return number


def compare(model: Path, pairs: int) -> Comparison:
    """Time `model` and the original; raises UserError when no runtime can run both."""
    try:
        ours = model.read_bytes()
    except OSError as error:
        raise UserError(
            f"cannot read the model {model}: {error.strerror}; `make convert` makes one"
        ) from None
    sys.stderr.write("making the original's network …\n")
    original = original_flatbuffer()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "original.tflite"
        path.write_bytes(original)
        times = {name: paired_times(name, pairs, path, model) for name, _ in RUNTIMES}
    not_run = {name: found for name, found in times.items() if isinstance(found, str)}
    if len(not_run) == len(times):
        raise UserError(f"no installed runtime can run both: {'; '.join(not_run.values())}")
    return Comparison(
        Size("original, float32", len(original), parameters(original)),
        Size(str(model), len(ours), parameters(ours)),
        pairs,
        [speed(name, found) for name, found in times.items() if isinstance(found, PairedTimes)],
        not_run,
    )


def speed(runtime: str, times: PairedTimes) -> Speed:
    """Return medians, 95th percentiles, and ratios of the pairs; the original comes first."""
    low, middle, high = np.percentile(times.first_ms / times.second_ms, [25, 50, 75])
    return Speed(
        runtime=runtime,
        original_median_ms=float(np.median(times.first_ms)),
        original_p95_ms=float(np.percentile(times.first_ms, 95)),
        ours_median_ms=float(np.median(times.second_ms)),
        ours_p95_ms=float(np.percentile(times.second_ms, 95)),
        ratio=float(middle),
        ratio_lower_quartile=float(low),
        ratio_upper_quartile=float(high),
    )


def as_text(found: Comparison) -> Iterator[str]:
    """Return the comparison as readable text."""
    for size in (found.original, found.ours):
        yield f"{size.path}: {size.parameters:,} parameters, {size.bytes / 1000:,.0f} kB"
    yield f"one thread, {found.pairs} inferences of each, alternating:"
    yield ""
    yield f"{'':16}{'original':^20}{'ours':^20}{'original / ours':^24}"
    yield f"{'ms':16}{'median':>9} {'p95':>9} {'median':>9} {'p95':>9}  {'median':>8}  quartiles"
    for each in found.speeds:
        yield (
            f"{each.runtime:16}{each.original_median_ms:9.2f} {each.original_p95_ms:9.2f}"
            f" {each.ours_median_ms:9.2f} {each.ours_p95_ms:9.2f}  {each.ratio:7.1f}x"
            f"  {each.ratio_lower_quartile:.1f} to {each.ratio_upper_quartile:.1f}"
        )
    for reason in found.not_run.values():
        yield f"not run: {reason}"


if __name__ == "__main__":
    raise SystemExit(main())
