"""Batches made in background threads, in a fixed order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Batch = TypeVar("Batch")
Ints = npt.NDArray[np.int64]

#: OpenCV and TensorFlow release the interpreter's lock, so threads are sufficient.
BATCH_THREADS, MAX_BATCHES_AHEAD = 2, 6


def batches_in_background(
    make: Callable[[Ints, list[int]], Batch], order: Ints, batch: int, seed: list[int]
) -> Iterator[Batch]:
    """Yield `make(indices, [*seed, step])` for every `batch` indices of `order`, in turn.

    `make` is called in background threads, at most `MAX_BATCHES_AHEAD` batches ahead. Each batch
    must depend only on the arguments, so that the timing of the threads does not matter.
    """
    waiting: deque[Future[Batch]] = deque()
    with ThreadPoolExecutor(BATCH_THREADS) as pool:
        try:
            for step in range(len(order) // batch):
                chosen = order[step * batch : (step + 1) * batch]
                waiting.append(pool.submit(make, chosen, [*seed, step]))
                if len(waiting) > MAX_BATCHES_AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
