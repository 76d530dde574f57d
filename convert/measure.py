"""Runs a finished `.tflite` as the Pi would; a process of its own, without TensorFlow.

`python -m convert.measure MODEL PIXELS.npy RUNTIME` writes one JSON object: the
scores of every picture and the single-thread latency. TensorFlow and tflite-runtime
in one process break each other, so `convert` never loads the result itself.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.classifier import Classifier
from edge.errors import UserError

REPEATS = 60
TIMEOUT_S = 300


@dataclass(frozen=True)
class Measured:
    """Scores (n, labels) float32, in the card's order, and the median latency."""

    scores: npt.NDArray[np.float32]
    latency_ms: float
    runtime: str


def measured(model: Path, pixels: Path, runtime: str) -> Measured | str:
    """What `model` says of `pixels`, (n, height, width, 3) uint8 in a .npy file.

    A line that says why when `runtime` cannot run it here.
    """
    done = subprocess.run(
        [sys.executable, "-m", __name__, str(model), str(pixels), runtime],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["the process died"])[-1]
    answer = json.loads(done.stdout.splitlines()[-1])
    scores = np.array(answer["scores"], np.float32)
    return Measured(scores, answer["latency_ms"], answer["runtime"])


def main(arguments: list[str]) -> int:
    """The process's own part."""
    model, pixels, runtime = arguments
    try:
        classifier = Classifier(Path(model), threads=1, runtime=runtime)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    pictures = np.load(pixels)
    scores = [
        [classifier.classify_crop(picture).by_label[label] for label in classifier.card.labels]
        for picture in pictures
    ]
    times_ms = []
    for index in range(REPEATS):
        started = time.perf_counter()
        classifier.classify_crop(pictures[index % len(pictures)])
        times_ms.append((time.perf_counter() - started) * 1000)
    answer = {
        "scores": scores,
        "latency_ms": statistics.median(times_ms),
        "runtime": classifier.runtime,
    }
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
