"""The child process that tries a model.

`python -m edge.inference.network_trial PATH THREADS RUNTIME` reads the model from standard input;
PATH is used only in messages. An empty RUNTIME stands for the first that can load the shipped
model: another one is not tried, because ai-edge-litert verifies the offsets in a model, but
tflite-runtime does not. The output is the name of the runtime.

A damaged model can read memory outside its own. What happens then depends on what the process has
there: the model may crash the daemon after it worked in the trial. Therefore each round of the
trial loads a copy of the model between other memory blocks, and all rounds must have the same
results.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np

from edge.common.errors import UserError
from edge.common.paths import shipped_model
from edge.inference.interpreter import load_interpreter
from edge.inference.network import Network
from edge.inference.trial import run_trial

SEED = 1
ROUNDS = 8
#: Number of small blocks of other memory in each round, their sizes in bytes, and their values.
BLOCKS, BLOCK_BYTES, BLOCK_VALUES = 4000, (16, 24, 32, 48, 64, 100, 200, 400, 1000, 5000), (1, 255)
#: Values of the blocks before and after the model, one in each round; no text contains 255.
NEIGHBOURS = (255, 0, 1, 128)


def main(arguments: list[str]) -> int:
    """Try the model; return the exit code."""
    name, threads, runtime = arguments
    path = Path(name)
    return run_trial(path, lambda: _try_model(path, int(threads), runtime or None))


def _try_model(path: Path, threads: int, runtime: str | None) -> str:
    """Load and run the model in each round, and return the name of the runtime.

    Raises UserError if a round fails or the results differ.
    """
    model = sys.stdin.buffer.read()
    if runtime is None:
        _, runtime = load_interpreter(shipped_model().read_bytes())
    generator = random.Random(SEED)
    kept: list[bytes] = []
    expected: list[object] = []
    for index in range(ROUNDS):
        kept += _scattered_blocks(generator)
        value = bytes([NEIGHBOURS[index % len(NEIGHBOURS)]])
        # Large blocks that are allocated in succession are neighbours in memory.
        _before, copy, _after = value * len(model), bytes(bytearray(model)), value * len(model)
        results = _results(Network(copy, path, threads, runtime), path)
        expected = expected or results
        if results != expected:
            raise UserError(
                f"{path} is damaged: its results change each time it is loaded; convert it again"
            )
    return runtime


def _scattered_blocks(generator: random.Random) -> list[bytes]:
    """Return memory blocks with gaps between them, in which similar blocks were freed."""
    blocks = [
        bytes([generator.randint(*BLOCK_VALUES)]) * generator.choice(BLOCK_BYTES)
        for _ in range(BLOCKS)
    ]
    generator.shuffle(blocks)
    return blocks[::2]


def _results(network: Network, path: Path) -> list[object]:
    """Return the tensors, and the outputs for a black, a white, and a random input."""
    shape, dtype = network.input.shape, network.input.dtype
    noise = np.random.default_rng(SEED).integers(0, 256, shape)
    results: list[object] = [network.runtime, network.input, network.outputs]
    for values in (np.zeros(shape), np.full(shape, 255), noise):
        network.run(values.astype(dtype))
        for tensor in network.outputs:
            output = network.output(tensor)
            if not np.isfinite(tensor.real(output)).all():
                raise UserError(f"{path} cannot be used: its results are not finite numbers")
            results.append(output.tobytes())
    return results


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
