"""`python -m training label`: give faces that are only boxed the labels from a CSV file."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from edge.common.errors import UsageError, UserError
from edge.common.file_access import write_problem
from training.data.boxes_jsonl import FILE_NAME, PICTURES, BoxesLine, is_jsonl, read_lines
from training.data.corrections import LEAVE_OUT, Corrections, read_corrections
from training.data.layouts import normalised_name

EPILOG = """\
A line of boxes.jsonl describes one picture in images/:

  {"file": "a.jpg", "width": 320, "height": 240,
   "boxes": [[143.9, 49.9, 37.2, 49.0, "face"], [224, 157, 8, 10, "ignore"]]}

A box is x, y, width and height in pixels, and a class. The command replaces the class face of the
faces listed in the file of labels by mask, no_mask or incorrect_mask, so that a classifier can be
trained and evaluated on them. Faces that are not listed, or have the label -, keep the class face.
"""


def add_label_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `python -m training label`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder with images/ and boxes.jsonl",
    )
    parser.add_argument(
        "--labels",
        type=Path,
        required=True,
        metavar="FILE",
        help="CSV file with the columns picture,x,y,label, such as training/face_labels.csv",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="new folder for the labelled boxes.jsonl and a link to the pictures",
    )
    parser.set_defaults(run=run_label)


def run_label(options: argparse.Namespace) -> int:
    """Write the labelled data set; raises UsageError for a folder or file that cannot be used."""
    if not is_jsonl(options.data):
        raise UsageError(f"--data {options.data}: there is no {FILE_NAME} in this folder")
    if options.out.exists():
        raise UsageError(f"--out {options.out} exists already: remove it or choose another folder")
    labels = read_corrections(options.labels)
    lines = list(read_lines(options.data))
    counts = Counter[str]()
    entries = [_labelled(line, labels, counts) for line in lines]
    if not counts:
        raise UsageError(f"{options.labels} lists no face of {options.data}: are these its labels?")
    text = "".join(f"{json.dumps(entry)}\n" for entry in entries)
    try:
        options.out.mkdir(parents=True)
        (options.out / FILE_NAME).write_text(text, encoding="utf-8")
        (options.out / PICTURES).symlink_to((options.data / PICTURES).resolve())
    except OSError as error:
        raise UserError(f"{options.out} cannot be written: {write_problem(error)}") from None
    found = ", ".join(f"{count} {label}" for label, count in sorted(counts.items()))
    missing = len(labels) - sum(counts.values())
    note = f"; {missing} lines of {options.labels} match no face" if missing else ""
    sys.stdout.write(f"wrote {options.out}: {found}{note}\n")
    return 0


def _labelled(line: BoxesLine, labels: Corrections, counts: Counter[str]) -> dict[str, Any]:
    """Return the entry of `line` with its labels, and count them in `counts`."""
    boxes = []
    name = f"{PICTURES}/{line.entry['file']}"
    for (class_name, (x, y, _, _)), box in zip(line.boxes, line.entry["boxes"], strict=True):
        label = labels.get((name, round(x), round(y)))
        if label is None or normalised_name(class_name) != "face":
            boxes.append(box)
            continue
        counts["left out" if label == LEAVE_OUT else label] += 1
        boxes.append(box if label == LEAVE_OUT else [*box[:4], label, *box[5:]])
    return {**line.entry, "boxes": boxes}
