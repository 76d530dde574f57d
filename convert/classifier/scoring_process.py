"""Runs a finished `.tflite` as the Pi would, in a process without TensorFlow.

`python -m convert.classifier.scoring_process MODEL PIXELS.npy RUNTIME` writes one JSON object: the
scores of every picture and the single-thread latency, or the reason for a failure. TensorFlow and
tflite-runtime in one process break each other, so `convert` never loads the result itself.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from convert.child_process import json_answer
from edge.classification.classifier import Classifier
from edge.common.errors import UserError

#: Time-outs for loading and for each picture: a hundred times what a slow desktop needs.
TIMEOUT_S, TIMEOUT_PER_PICTURE_S = 300.0, 0.5
#: A progress bar is shown for more pictures than this.
MANY = 1000


@dataclass(frozen=True)
class Measured:
    """Scores (n, labels) float32, in the card's order, and the median latency of the n pictures."""

    scores: npt.NDArray[np.float32]
    latency_ms: float


def measured(model: Path, pixels: Path, runtime: str) -> Measured | str:
    """Return the scores of `model` for `pixels`, (n, height, width, 3) uint8 in a .npy file.

    Returns a line with the reason when `runtime` cannot run the model.
    """
    count = len(np.load(pixels, mmap_mode="r"))
    timeout_s = TIMEOUT_S + TIMEOUT_PER_PICTURE_S * count
    answer = json_answer(__name__, [str(model), str(pixels), runtime], timeout_s)
    if isinstance(answer, str):
        return answer
    return Measured(np.array(answer["scores"], np.float32), answer["latency_ms"])


def main(arguments: list[str]) -> int:
    """Entry point of the process without TensorFlow; return the exit code."""
    from tqdm import tqdm

    model, pixels, runtime = arguments
    try:
        classifier = Classifier(Path(model), threads=1, runtime=runtime)
    except UserError as error:
        sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
        return error.exit_code
    pictures = np.load(pixels)
    bar = tqdm(
        pictures,
        desc=f"{Path(model).stem} in {runtime}",
        unit="face",
        delay=2,
        disable=len(pictures) < MANY,
        mininterval=0.5 if sys.stderr.isatty() else 10,
    )
    labels = classifier.card.labels
    scores, times_ms = [], []
    for picture in bar:
        started = time.perf_counter()
        by_label = classifier.classify_crop(picture).by_label
        times_ms.append((time.perf_counter() - started) * 1000)
        scores.append([by_label[label] for label in labels])
    answer = {"scores": scores, "latency_ms": statistics.median(times_ms)}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
