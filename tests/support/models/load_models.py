"""Load model files as the daemon does, and use each once; print a line of JSON per file.

The arguments are pairs of a kind and a path; without arguments, each line of standard input is a
JSON array with such a pair. The script runs in a separate process, so that a
damaged file that crashes native code does not end the tests.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ["OPENCV_LOG_LEVEL"] = "SILENT"

import numpy as np

from edge.classification.classifier import Classifier
from edge.common.errors import UserError
from edge.config.settings import DetectorSettings
from edge.detection.load_detector import load_detector

IMAGE = np.random.default_rng(1).integers(0, 256, (240, 320, 3)).astype(np.uint8)


def classify(path: str) -> None:
    Classifier(Path(path)).classify_crop(IMAGE)


def find(path: str) -> None:
    load_detector(DetectorSettings(kind="learned", model=path)).finder.find(IMAGE)


def find_with_cascade(path: str) -> None:
    load_detector(DetectorSettings(kind="haar", cascade=path)).finder.find(IMAGE)


KINDS: dict[str, Callable[[str], None]] = {
    "classifier": classify,
    "network": find,
    "yunet": find,
    "cascade": find_with_cascade,
}


def load(kind: str, path: str) -> None:
    """Load a file and use it; print the result."""
    error = ""
    try:
        KINDS[kind](path)
    except UserError as failure:
        error = str(failure)
    sys.stdout.write(json.dumps({"kind": kind, "error": error}) + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> None:
    """Load the files one after the other."""
    for kind, path in zip(arguments[::2], arguments[1::2], strict=True):
        load(kind, path)
    if not arguments:
        for line in sys.stdin:
            load(*json.loads(line))


if __name__ == "__main__":
    main(sys.argv[1:])
