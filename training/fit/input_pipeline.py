"""Batches made by `tf.data` in background threads, in a fixed order; a worker makes its share."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from training.workers.share import Share

Ints = npt.NDArray[np.int64]
#: A tuple of arrays with a row for each sample: the first holds pixels, uint8, and the others are
#: float32.
Batch = TypeVar("Batch")

#: OpenCV and TensorFlow release the interpreter's lock, so threads are sufficient.
BATCH_THREADS, MAX_BATCHES_AHEAD = 2, 6


def batches_in_background(
    make: Callable[[Ints, Iterator[np.random.Generator]], Batch],
    arrays: int,
    order: Ints,
    batch: int,
    seed: list[int],
    share: Share | None = None,
) -> Iterator[Batch]:
    """Yield what `make` returns, `arrays` arrays, for every `batch` samples of `order`, in turn.

    `make` gets the samples of a batch, and a generator of random numbers for each of them. With
    `share`, only these rows of each batch are made. The result depends on the arguments alone, and
    not on the timing of the threads. An exception in `make` reaches the caller.
    """
    import tensorflow as tf

    errors: list[Exception] = []

    def make_rows(positions: Ints) -> Batch:
        try:
            return make(order[positions], _generators(positions, batch, seed, share))
        except Exception as error:
            errors.append(error)
            raise

    def make_tensors(positions: Any) -> Any:
        return tf.numpy_function(make_rows, [positions], [tf.uint8] + [tf.float32] * (arrays - 1))

    rows = tf.data.Dataset.range(len(order) // batch * batch)
    if share is not None:
        rows = rows.shard(share.count, share.index)
    made = rows.batch(batch // (share.count if share else 1)).map(
        make_tensors, num_parallel_calls=BATCH_THREADS, deterministic=True
    )
    options = tf.data.Options()
    # The threads of the training step must not wait for those that make batches.
    options.threading.private_threadpool_size = BATCH_THREADS
    try:
        yield from made.prefetch(MAX_BATCHES_AHEAD).with_options(options).as_numpy_iterator()
    except tf.errors.OpError:
        if errors:
            raise errors[0] from None
        raise


def _generators(
    positions: Ints, batch: int, seed: list[int], share: Share | None
) -> Iterator[np.random.Generator]:
    """Return the generator of each row: one for all rows, or with `share` one for each row.

    A worker cannot know how many random numbers the rows of the others take.
    """
    step = int(positions[0]) // batch
    if share is None:
        return itertools.repeat(np.random.default_rng([*seed, step]))
    return (np.random.default_rng([*seed, step, int(each) % batch]) for each in positions)
