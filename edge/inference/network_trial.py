"""The child process that tries a model.

`python -m edge.inference.network_trial PATH THREADS RUNTIME` reads the model from standard input;
PATH is used only in messages. An empty RUNTIME stands for the first that can load the model.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from edge.common.errors import UserError
from edge.inference.network import Network
from edge.inference.trial import run_trial

SEED = 1


def main(arguments: list[str]) -> int:
    """Try the model; return the exit code."""
    name, threads, runtime = arguments
    path = Path(name)
    return run_trial(path, lambda: _try_model(path, int(threads), runtime or None))


def _try_model(path: Path, threads: int, runtime: str | None) -> None:
    """Run the model on a black, a white, and a random input; raises UserError."""
    network = Network(sys.stdin.buffer.read(), path, threads, runtime)
    shape, dtype = network.input.shape, network.input.dtype
    noise = np.random.default_rng(SEED).integers(0, 256, shape)
    for values in (np.zeros(shape), np.full(shape, 255), noise):
        network.run(values.astype(dtype))
        for tensor in network.outputs:
            if not np.isfinite(tensor.real(network.output(tensor))).all():
                raise UserError(f"{path} cannot be used: its results are not finite numbers")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
