"""`python -m convert.original_model`: makes the original's network for the bench.

A Pi has no TensorFlow, so the bench contains the network as a `.tflite`. 14 MB of random weights
would not compress, so the weights repeat a short pattern. Equal patterns give equal bytes.
"""

from __future__ import annotations

import argparse
import gzip
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.network.from_keras import exported
from edge.common.errors import UserError
from training.common.quiet_keras import import_keras
from training.network.original_network import build_original

OUT = Path("edge/bench/original.tflite.gz")
#: Number of distinct weights in a layer: small enough for gzip to find the repetition.
PATTERN = 250
SEED = 4
#: Range of the absolute weights before scaling. It excludes zeros and denormal numbers, because
#: multiplying by these may be faster or slower than multiplying by a normal number.
SMALLEST, LARGEST = 0.25, 2.0


def original_flatbuffer() -> bytes:
    """Return the original's network as a float32 `.tflite`: repeating weights, batch of one."""
    keras = import_keras()
    network = build_original()
    # Each array has its own seed: the converter stores equal arrays only once, so a layer whose
    # weights equal those of another layer would seem to have no weights.
    weights = enumerate(network.get_weights())
    network.set_weights([patterned(each.shape, SEED + index) for index, each in weights])
    pixels = keras.Input(batch_shape=(1, *network.input_shape[1:]), name="pixels")
    return exported(keras.Model(pixels, network(pixels)))


def patterned(shape: tuple[int, ...], seed: int) -> npt.NDArray[np.float32]:
    """Return weights or biases of Keras's `shape`, scaled so that activations keep their size.

    Biases are not zero, because the converter removes zero biases.
    """
    rng = np.random.default_rng(seed)
    half = rng.uniform(SMALLEST, LARGEST, PATTERN // 2)
    # Each value occurs with both signs: otherwise the repeated values would add up layer by layer.
    values = rng.permutation(np.concatenate([half, -half]))
    inputs = int(np.prod(shape[:-1]))  # 1 for biases
    values *= 0.01 if len(shape) == 1 else np.sqrt(1.0 / inputs)
    # The pattern must repeat in the file, where the output dimension comes first.
    in_file = np.resize(values.astype(np.float32), (shape[-1], *shape[:-1]))
    moved: npt.NDArray[Any] = np.moveaxis(in_file, 0, -1)
    return moved


def main(arguments: list[str] | None = None) -> int:
    """Write the file; a UserError becomes one line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m convert.original_model", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help="default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        flatbuffer = original_flatbuffer()
        # No time stamp, so that equal networks give equal bytes.
        options.out.write_bytes(gzip.compress(flatbuffer, compresslevel=9, mtime=0))
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"cannot write {options.out}: {error.strerror}\n")
        return UserError.exit_code
    size = options.out.stat().st_size
    sys.stdout.write(f"{options.out}: {len(flatbuffer):,} bytes, packed {size:,}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
