"""Batches for the face detector, made in background threads; each batch depends only on the seed,
the epoch and the batch's number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edge.common.arrays import Pixels
from edge.detection.boxes import Floats, Ints
from edge.detection.point_grid import Grid, InputSize
from training.face_detector.pictures.boxed_pictures import BoxedPicture, BoxKind, read_pixels
from training.face_detector.targets import assign_targets
from training.face_detector.views.camera_effects import change_appearance
from training.face_detector.views.composition import Photograph, compose, photograph_of
from training.fit.input_pipeline import batches_in_background
from training.workers.share import Share

#: Pixels (b, height, width, channels), then the targets: boxes (b, points, 4), positive (b,
#: points), and weights (b, points).
Batch = tuple[Pixels, Floats, Floats, Floats]


@dataclass(frozen=True)
class DetectorTrainingSet:
    """The pictures that a run trains on, and the size of the network's input."""

    pictures: Sequence[BoxedPicture]
    size: InputSize

    @cached_property
    def grid(self) -> Grid:
        """The points of the network's output."""
        return Grid.of(self.size)

    @cached_property
    def _with_faces(self) -> list[BoxedPicture]:
        return [each for each in self.pictures if each.of_kind(BoxKind.FACE)]

    def steps(self, batch: int) -> int:
        """Return the number of batches in an epoch, which is the same in every epoch."""
        return max(1, len(self.pictures) // batch)

    def order(self, seed: int, epoch: int, batch: int) -> Ints:
        """Return the indices of the pictures in the order of the epoch, (steps * batch,)."""
        order = np.random.default_rng([seed, epoch]).permutation(len(self.pictures))
        return np.resize(order, self.steps(batch) * batch)

    def epoch(
        self, seed: int, epoch: int, batch: int, share: Share | None = None
    ) -> Iterator[Batch]:
        """Return the epoch's batches, in which every picture occurs about once, or the rows of
        `share` of each batch.
        """
        order = self.order(seed, epoch, batch)
        return batches_in_background(self.batch, 4, order, batch, [seed, epoch], share)

    def batch(self, chosen: Ints, generators: Iterator[np.random.Generator]) -> Batch:
        """Return views of the pictures with the indices `chosen`; `generators` holds the random
        numbers of each row.
        """
        samples = [
            self._sample(self.pictures[index], rng)
            for index, rng in zip(chosen, generators, strict=False)
        ]
        columns = [np.stack(column) for column in zip(*samples, strict=True)]
        return columns[0], columns[1], columns[2], columns[3]

    def _sample(
        self, picture: BoxedPicture, rng: np.random.Generator
    ) -> tuple[Pixels, Floats, Floats, Floats]:
        view = compose(self._read(picture), self._random_photograph, self.size, rng)
        pixels = change_appearance(view.pixels, view.faces, rng).reshape(self.size.shape)
        targets = assign_targets(self.grid, view.faces, view.ignored)
        return pixels, targets.corners, targets.positive, targets.weight

    def _random_photograph(self, rng: np.random.Generator, with_face: bool) -> Photograph:
        among = self._with_faces if with_face else self.pictures
        return self._read(among[int(rng.integers(len(among)))])

    def _read(self, picture: BoxedPicture) -> Photograph:
        return photograph_of(picture, read_pixels(picture, self.size.channels))
