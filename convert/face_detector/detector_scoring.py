"""Runs a finished face detector as the Pi would, in a process without TensorFlow.

`python -m convert.face_detector.detector_scoring MODEL PIXELS.npy RUNTIME OUTPUTS.npz` writes the
outputs for every picture to OUTPUTS.npz, and one JSON object: the single-thread latency, or the
reason for a failure.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convert.child_process import json_answer
from convert.face_detector.detector_parity import Outputs
from edge.common.errors import UserError
from edge.detection.face_network import FaceNetwork

REPEATS = 40
#: Time-outs for loading and for each picture: a hundred times what a slow desktop needs.
TIMEOUT_S, TIMEOUT_PER_PICTURE_S = 300.0, 2.0


@dataclass(frozen=True)
class DetectorMeasured:
    """The outputs for each picture, and the median latency of a search of one picture."""

    outputs: Outputs
    latency_ms: float


def measured_detector(model: Path, pixels: Path, runtime: str) -> DetectorMeasured | str:
    """Return the outputs of `model` for `pixels`, (n, height, width, 1) uint8 in a .npy file.

    Returns a line with the reason when `runtime` cannot run the model.
    """
    count = len(np.load(pixels, mmap_mode="r"))
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "outputs.npz"
        arguments = [str(model), str(pixels), runtime, str(target)]
        answer = json_answer(__name__, arguments, TIMEOUT_S + TIMEOUT_PER_PICTURE_S * count)
        if isinstance(answer, str):
            return answer
        with np.load(target) as stored:
            outputs = Outputs(stored["logits"], stored["codes"])
    return DetectorMeasured(outputs, answer["latency_ms"])


def main(arguments: list[str]) -> int:
    """Entry point of the process without TensorFlow; return the exit code."""
    model, pixels, runtime, target = arguments
    try:
        network = FaceNetwork(Path(model), runtime)
    except UserError as error:
        sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
        return error.exit_code
    pictures = np.load(pixels)
    outputs = [network.outputs(picture[..., 0]) for picture in pictures]
    logits, codes = (np.stack(each) for each in zip(*outputs, strict=True))
    np.savez(target, logits=logits, codes=codes)
    times_ms = []
    for index in range(REPEATS):
        started = time.perf_counter()
        network.find(pictures[index % len(pictures), ..., 0], network.card.threshold.score)
        times_ms.append((time.perf_counter() - started) * 1000)
    sys.stdout.write(json.dumps({"latency_ms": statistics.median(times_ms)}) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
