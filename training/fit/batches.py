"""Augmented batches, made in background threads.

Each batch depends only on the seed, the epoch and its number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.common.arrays import Pixels
from training.augmentation.augment import augment
from training.augmentation.synthetic_masks import WearingStyle, transfer_mask
from training.data.crops import Face
from training.fit.input_pipeline import batches_in_background
from training.workers.share import Share

Floats = npt.NDArray[np.float32]
Batch = tuple[Pixels, Floats, Floats]


@dataclass(frozen=True)
class MaskTransfer:
    """Masks for bare faces: `donors` are the faces that wear them.

    `targets` maps a label to its (labels,) target. `share`: the share of the samples of bare faces
    that get a mask. Faces with annotated boxes never get a mask.
    """

    donors: list[Face]
    styles: tuple[WearingStyle, ...]
    targets: dict[str, Floats]
    share: float

    def sample(self, face: Face, rng: np.random.Generator) -> Face | None:
        """Return `face` with a mask, or None if this sample leaves the face as it is."""
        if face.label != "no_mask" or face.annotated or rng.random() >= self.share:
            return None
        odds = np.array([style.share for style in self.styles])
        style = self.styles[int(rng.choice(len(self.styles), p=odds / odds.sum()))]
        donor = self.donors[int(rng.integers(len(self.donors)))]
        return transfer_mask(face, donor, style, rng)


@dataclass(frozen=True)
class TrainingSet:
    """Faces, with the target probabilities (n, labels), weight (n,) and draws per epoch (n,) of
    each face.

    `style`: as in `training.augmentation.augment.augment`.
    """

    faces: list[Face]
    targets: Floats
    weights: Floats
    draws: Floats
    mask_transfer: MaskTransfer | None = None
    style: float = 1.0

    def steps(self, batch: int) -> int:
        """Return the number of batches in an epoch, which is the same in every epoch."""
        return max(1, int(self.draws.sum()) // batch)

    def order(self, seed: int, epoch: int, batch: int) -> npt.NDArray[np.int64]:
        """Return the indices of the faces in the order of the epoch, (steps * batch,)."""
        rng = np.random.default_rng([seed, epoch])
        views = np.floor(self.draws + rng.random(len(self.draws))).astype(np.int64)
        order = rng.permutation(np.repeat(np.arange(len(self.faces)), views))
        return np.resize(order, self.steps(batch) * batch)

    def epoch(
        self, seed: int, epoch: int, batch: int, share: Share | None = None
    ) -> Iterator[Batch]:
        """Return the epoch's batches as `batch` makes them, or the rows of `share` of each."""
        order = self.order(seed, epoch, batch)
        return batches_in_background(self.batch, 3, order, batch, [seed, epoch], share)

    def batch(
        self, chosen: npt.NDArray[np.int64], generators: Iterator[np.random.Generator]
    ) -> Batch:
        """Return crops of the faces with the indices `chosen`: pixels (b, 96, 96, 3) uint8, targets
        (b, labels), weights (b,). `generators` holds the random numbers of each row.
        """
        targets, weights = self.targets[chosen], self.weights[chosen]
        views = []
        for row, (index, rng) in enumerate(zip(chosen, generators, strict=False)):
            face = self.faces[index]
            masked = self.mask_transfer.sample(face, rng) if self.mask_transfer else None
            if self.mask_transfer and masked is not None:
                targets[row] = self.mask_transfer.targets[masked.label]
                weights[row] = 1.0
            views.append(augment(masked or face, rng, self.style))
        return np.stack(views), targets, weights
