"""`python -m convert`: converts a Keras model to an int8 `.tflite` with its card, or fails."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from convert.classifier.parity import GATE
from convert.network.ranges import ranges_path
from convert.network.variants import SHIPPED, VARIANTS
from edge.common.errors import UserError
from edge.common.file_access import write_problem

ALL = "all"
EPILOG = (
    f"{GATE} The same model, the same ranges file, and the same releases of TensorFlow and"
    " ai-edge-quantizer (pyproject.toml) give the same bytes. `python -m convert.compare` compares"
    " the speed of the result with that of the original Mask Patrol's network."
)


def main(arguments: list[str] | None = None) -> int:
    """Convert one model; a UserError or an OSError about a file is one line on standard error."""
    options = _parser().parse_args(arguments)
    try:
        _convert(options)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except OSError as error:
        if error.filename is None:  # not about a file
            raise
        sys.stderr.write(f"cannot use {error.filename}: {write_problem(error)}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("stopped; nothing is written\n")
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m convert", description=__doc__, epilog=EPILOG)
    parser.add_argument(
        "--model",
        type=Path,
        default=Path("models/mask.keras"),
        help="the Keras model (default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, help="the int8 model to write (default: beside the model, .tflite)"
    )
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="DIR",
        help="measure the activation ranges anew on the training parts of these data sets, and"
        " accuracy for the card on their test parts; both are kept in the ranges file",
    )
    parser.add_argument("--ranges", type=Path, help="default: beside the model, .ranges.json")
    parser.add_argument(
        "--variants",
        nargs="+",
        choices=[*VARIANTS, ALL],
        default=[],
        help="further variants to write beside the int8 model: mask-float32.tflite and so on",
    )
    parser.add_argument("--json", action="store_true", help="print the table as one JSON object")
    return parser


def _convert(options: argparse.Namespace) -> None:
    from convert.classifier.conversion import convert
    from convert.classifier.table import as_dict, as_text
    from convert.face_detector.detector_conversion import convert_detector
    from convert.face_detector.detector_table import detector_dict, detector_text
    from convert.job import Job
    from training.face_detector.detector_report_file import is_detector_report
    from training.network.model_report import report_path

    is_detector = is_detector_report(report_path(options.model))
    wanted = {*(VARIANTS if ALL in options.variants else options.variants), *SHIPPED}
    job = Job(
        model=options.model,
        out=options.out or options.model.with_suffix(".tflite"),
        ranges=options.ranges or ranges_path(options.model),
        variants=tuple(name for name in VARIANTS if name in wanted),
        data=tuple(options.data),
    )
    if is_detector:
        found = convert_detector(job)
        lines = [json.dumps(detector_dict(found))] if options.json else detector_text(found)
    else:
        outcome = convert(job)
        lines = [json.dumps(as_dict(outcome))] if options.json else as_text(outcome)
    sys.stdout.write("\n".join(lines) + "\n")
