"""Times two `.tflite` files alternately on one thread, in a process without TensorFlow.

`python -m convert.latency RUNTIME PAIRS FIRST SECOND` writes one JSON object. Other programs
slow both models down equally, so the ratio of a pair is more reliable than its times.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.child_process import json_answer
from edge.common.errors import UserError
from edge.inference.interpreter import load_interpreter

WARM_UP = 10
SEED = 3
#: Time-outs for loading and for each pair: far more than a slow desktop needs.
TIMEOUT_S, TIMEOUT_PER_PAIR_S = 120.0, 2.0


@dataclass(frozen=True)
class PairedTimes:
    """Milliseconds of each inference, (pairs,) float64; equal indices belong to one pair."""

    first_ms: npt.NDArray[np.float64]
    second_ms: npt.NDArray[np.float64]


def paired_times(runtime: str, pairs: int, first: Path, second: Path) -> PairedTimes | str:
    """Time `pairs` inferences of each model; returns the reason when `runtime` cannot run them."""
    timeout_s = TIMEOUT_S + TIMEOUT_PER_PAIR_S * pairs
    answer = json_answer(__name__, [runtime, str(pairs), str(first), str(second)], timeout_s)
    if isinstance(answer, str):
        return answer
    return PairedTimes(np.array(answer["first_ms"]), np.array(answer["second_ms"]))


def main(arguments: list[str]) -> int:
    """Entry point of the process without TensorFlow; return the exit code."""
    from tqdm import tqdm

    runtime, pairs, *files = arguments
    try:
        models = [_Model(Path(file), runtime) for file in files]
    except UserError as error:
        sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
        return error.exit_code
    for _ in range(WARM_UP):
        for model in models:
            model.time_ms()
    watched = tqdm(
        range(int(pairs)),
        desc=runtime,
        unit="pair",
        delay=2,
        mininterval=0.5 if sys.stderr.isatty() else 10,
    )
    times = [[model.time_ms() for model in models] for _ in watched]
    first, second = zip(*times, strict=True)
    sys.stdout.write(json.dumps({"first_ms": first, "second_ms": second}) + "\n")
    return 0


class _Model:
    """A loaded model, and random input for it."""

    def __init__(self, path: Path, runtime: str) -> None:
        self._interpreter: Any
        self._interpreter, _ = load_interpreter(path.read_bytes(), 1, runtime)
        pixels = self._interpreter.get_input_details()[0]
        self._input = pixels["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        noise = np.random.default_rng(SEED).integers(0, 256, pixels["shape"])
        self._noise = noise.astype(pixels["dtype"])

    def time_ms(self) -> float:
        """Run the model on one picture."""
        started = time.perf_counter()
        self._interpreter.set_tensor(self._input, self._noise)
        self._interpreter.invoke()
        self._interpreter.get_tensor(self._output)
        return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
