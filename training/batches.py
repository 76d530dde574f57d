"""Augmented batches, prepared in background threads, each a pure function of its place."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.framing import Pixels
from training.augment import augmented
from training.crops import Face

Floats = npt.NDArray[np.float32]
Batch = tuple[Pixels, Floats, Floats]

#: OpenCV and TensorFlow release the interpreter's lock, so threads are enough.
THREADS, AHEAD = 2, 6


@dataclass(frozen=True)
class TrainingSet:
    """Faces with, for each: target shares (n, labels), weight (n,), looks per epoch (n,)."""

    faces: list[Face]
    targets: Floats
    weights: Floats
    draws: Floats

    def steps(self, batch: int) -> int:
        """Batches in one epoch, the same in every epoch."""
        return max(1, int(self.draws.sum()) // batch)

    def order(self, seed: int, epoch: int, batch: int) -> npt.NDArray[np.int64]:
        """Which face stands at which place of the epoch: (steps * batch,) indices."""
        rng = np.random.default_rng([seed, epoch])
        looks = np.floor(self.draws + rng.random(len(self.draws))).astype(np.int64)
        order = rng.permutation(np.repeat(np.arange(len(self.faces)), looks))
        return np.resize(order, self.steps(batch) * batch)

    def epoch(self, seed: int, epoch: int, batch: int) -> Iterator[Batch]:
        """The epoch's batches: pixels (b, 96, 96, 3) uint8, targets (b, labels), weights (b,)."""
        order = self.order(seed, epoch, batch)
        waiting: deque[Future[Batch]] = deque()
        with ThreadPoolExecutor(THREADS) as pool:
            try:
                for step in range(self.steps(batch)):
                    chosen = order[step * batch : (step + 1) * batch]
                    waiting.append(pool.submit(self._batch, chosen, [seed, epoch, step]))
                    if len(waiting) > AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _batch(self, chosen: npt.NDArray[np.int64], place: list[int]) -> Batch:
        rng = np.random.default_rng(place)
        pixels = np.stack([augmented(self.faces[i], rng) for i in chosen])
        return pixels, self.targets[chosen], self.weights[chosen]
