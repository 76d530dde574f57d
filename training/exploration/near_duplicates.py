"""Near-duplicates within and between data sets and their splits."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from training.data.duplicates import near_duplicate_pairs
from training.data.progress import with_progress
from training.exploration.dataset_stats import PictureFingerprint

BLOCK = 4096  # Fingerprints in a block; 4096 x 4096 comparisons take 64 MB.


@dataclass(frozen=True)
class Pair:
    """Two near-duplicates; `one` was read before `two`."""

    one: PictureFingerprint
    two: PictureFingerprint

    @property
    def places(self) -> tuple[str, str]:
        """The data set and split of each picture, such as `scenes train`, in alphabetical order."""
        first, second = sorted((data_set_and_split(self.one), data_set_and_split(self.two)))
        return first, second

    @property
    def labels_differ(self) -> bool:
        """Whether the labels differ: one label is wrong, or a mask was drawn on one of the
        pictures.
        """
        return None not in (self.one.label, self.two.label) and self.one.label != self.two.label


@dataclass(frozen=True)
class PairCounts:
    """The number of near-duplicates between two splits, or within one split."""

    places: tuple[str, str]
    pairs: int
    pictures: int
    labels_differ: int


def data_set_and_split(picture: PictureFingerprint) -> str:
    """Return the data set and split of a picture, such as `scenes train`."""
    return f"{picture.data} {picture.split}"


def find_pairs(fingerprints: list[PictureFingerprint]) -> list[Pair]:
    """Return each pair of near-duplicates once.

    Pairs between different splits come first, because they make test metrics too optimistic. Two
    faces of one picture are not a pair.
    """
    found: dict[frozenset[object], Pair] = {}
    for i, j in _indices(fingerprints):
        pair = Pair(fingerprints[i], fingerprints[j])
        paths = frozenset((pair.one.path, pair.two.path))
        if len(paths) == 2 and (paths not in found or _has_more_labels(pair, found[paths])):
            found[paths] = pair
    return sorted(found.values(), key=_order)


def count_pairs(pairs: list[Pair]) -> list[PairCounts]:
    """Count the pairs by the two splits that their pictures are in."""
    groups: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for pair in pairs:
        groups[pair.places].append(pair)
    return [
        PairCounts(
            places,
            len(group),
            len({path for pair in group for path in (pair.one.path, pair.two.path)}),
            sum(pair.labels_differ for pair in group),
        )
        for places, group in groups.items()
    ]


def _indices(fingerprints: list[PictureFingerprint]) -> Iterator[tuple[int, int]]:
    """Yield the indices i < j of each pair of near-duplicates. The pictures are compared in blocks,
    because a table of all pairs would exceed the memory.
    """
    prints = [each.fingerprint for each in fingerprints]
    starts = range(0, len(prints), BLOCK)
    blocks = [(a, b) for a, b in itertools.product(starts, starts) if a <= b]
    for a, b in with_progress(blocks, "comparing", "block"):
        for i, j in near_duplicate_pairs(prints[a : a + BLOCK], prints[b : b + BLOCK]):
            if a + i < b + j:
                yield a + i, b + j


def _has_more_labels(pair: Pair, than: Pair) -> bool:
    """Return whether `pair` has labels and `than` lacks them, as a pair with a whole scene does."""
    return None in (than.one.label, than.two.label) and None not in (pair.one.label, pair.two.label)


def _order(pair: Pair) -> tuple[int, tuple[str, str], str, str]:
    one, two = pair.places
    same_set = pair.one.data == pair.two.data
    rank = 2 if one == two else 0 if same_set else 1
    return rank, pair.places, str(pair.one.path), str(pair.two.path)
