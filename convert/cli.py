"""`python -m convert`: a Keras model ──► one int8 `.tflite` with its card, or nothing at all."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from convert.card import card_of
from convert.inputs import drawn_inputs
from convert.measure import Measured, measured
from convert.parity import Floats, Parity, check_parity, compare
from convert.quantise import float_flatbuffer, load_keras, quantised, ranges_of
from convert.ranges import crops_of, read_ranges, write_ranges
from edge.card import attach_card, digest
from edge.errors import UserError
from edge.framing import Pixels
from edge.interpreter import RUNTIMES
from training.report import read_report, report_path

CHECK_PICTURES = 300


def main(arguments: list[str] | None = None) -> int:
    """Convert one model; a UserError becomes one line on standard error."""
    options = _parser().parse_args(arguments)
    ranges = options.ranges or options.model.with_suffix(".ranges.json")
    try:
        _convert(options.model, options.out, options.data, ranges)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m convert", description=__doc__)
    parser.add_argument(
        "--model",
        type=Path,
        default=Path("models/mask.keras"),
        help="the Keras model (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("models/mask.tflite"),
        help="the model to write (default: %(default)s)",
    )
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="DIR",
        help="compute the activation ranges anew from these data sets",
    )
    parser.add_argument("--ranges", type=Path, help="default: beside the model, .ranges.json")
    return parser


def _convert(model_path: Path, out: Path, roots: list[Path], ranges_path: Path) -> None:
    if not model_path.is_file():
        raise UserError(f"the Keras model {model_path} does not exist; `make train` makes one")
    report = read_report(report_path(model_path))
    keras_sha256 = digest(model_path.read_bytes())
    card = card_of(report, keras_sha256, report_path(model_path))
    stored = None if roots else read_ranges(ranges_path, keras_sha256)
    model = load_keras(model_path)  # seconds of importing: after all that can fail at once
    flatbuffer = float_flatbuffer(model)
    if stored is None:
        crops = crops_of(roots, tuple(report.labels))
        ranges = ranges_of(flatbuffer, crops)
        check = crops[np.linspace(0, len(crops) - 1, min(len(crops), CHECK_PICTURES)).astype(int)]
    else:
        ranges = stored
        check = drawn_inputs(CHECK_PICTURES, report.size_px)
    finished = attach_card(quantised(flatbuffer, ranges), card)
    keras_scores = np.asarray(model(check.astype(np.float32), training=False), np.float32)
    lines = _write_checked(finished, out, check, keras_scores)
    if stored is None:
        write_ranges(ranges_path, keras_sha256, len(crops), ranges)
    sys.stdout.write("\n".join([f"model      {out}, {len(finished) / 1000:.0f} kB", *lines]) + "\n")


def _write_checked(finished: bytes, out: Path, check: Pixels, keras_scores: Floats) -> list[str]:
    """Put `finished` in place of `out` once it has passed; what was there stays otherwise."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".convert-") as folder:
        candidate, pixels = Path(folder) / out.name, Path(folder) / "check.npy"
        candidate.write_bytes(finished)
        np.save(pixels, check)
        answers = {name: measured(candidate, pixels, name) for name, _ in RUNTIMES}
        ran = [answer for answer in answers.values() if isinstance(answer, Measured)]
        if not ran:
            raise UserError(f"no runtime here can run the model: {'; '.join(map(str, answers))}")
        parities = {each.runtime: compare(keras_scores, each.scores) for each in ran}
        for parity in parities.values():
            check_parity(parity)
        candidate.replace(out)
    return [_line(name, answer, parities.get(name)) for name, answer in answers.items()]


def _line(runtime: str, answer: Measured | str, parity: Parity | None) -> str:
    if isinstance(answer, str) or parity is None:
        return f"{runtime}: not run here ({answer})"
    return (
        f"{runtime}: agrees with Keras on {parity.agreement:.1%} of {parity.sure} clear pictures"
        f" of {parity.count}, scores {parity.distance:.4f} off on average;"
        f" {answer.latency_ms:.2f} ms a face on one thread"
    )
