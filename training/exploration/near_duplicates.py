"""All but identical pictures within and across data sets and their parts."""

from __future__ import annotations

import itertools
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from training.data.duplicates import near_duplicate_pairs
from training.exploration.dataset_stats import PictureFingerprint

BLOCK = 4096  # prints: 4096 x 4096 comparisons are 64 MB


@dataclass(frozen=True)
class Pair:
    """Two pictures that are nearly the same, `one` read before `two`."""

    one: PictureFingerprint
    two: PictureFingerprint

    @property
    def places(self) -> tuple[str, str]:
        """The data set and part of each, such as `scenes train`, by name."""
        first, second = sorted((data_set_and_split(self.one), data_set_and_split(self.two)))
        return first, second

    @property
    def labels_differ(self) -> bool:
        """Whether one of the two labels is wrong, or a mask was drawn on one of them."""
        return None not in (self.one.label, self.two.label) and self.one.label != self.two.label


@dataclass(frozen=True)
class PairCounts:
    """What two parts (or one, with itself) have in common."""

    places: tuple[str, str]
    pairs: int
    pictures: int
    labels_differ: int


def data_set_and_split(seen: PictureFingerprint) -> str:
    """The data set and part that a picture stands in."""
    return f"{seen.data} {seen.split}"


def find_pairs(prints: list[PictureFingerprint]) -> list[Pair]:
    """Each two pictures that are near copies, once; first those that stand in different
    parts, for they flatter the figures. Faces of one picture are no pair."""
    found: dict[frozenset[object], Pair] = {}
    for i, j in _indices(prints):
        pair = Pair(prints[i], prints[j])
        paths = frozenset((pair.one.path, pair.two.path))
        if len(paths) == 2 and (paths not in found or _has_more_labels(pair, found[paths])):
            found[paths] = pair
    return sorted(found.values(), key=_order)


def count_pairs(pairs: list[Pair]) -> list[PairCounts]:
    """The counts by the two parts that the pictures of a pair stand in."""
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


def _indices(prints: list[PictureFingerprint]) -> Iterator[tuple[int, int]]:
    """i < j of near copies, block by block: the whole table would not fit into memory."""
    from tqdm import tqdm

    marks = [each.fingerprint for each in prints]
    starts = range(0, len(marks), BLOCK)
    blocks = [(a, b) for a, b in itertools.product(starts, starts) if a <= b]
    progress = tqdm(
        blocks, desc="comparing", unit="block", delay=2, mininterval=0.5 if _on_terminal() else 10
    )
    for a, b in progress:
        for i, j in near_duplicate_pairs(marks[a : a + BLOCK], marks[b : b + BLOCK]):
            if a + i < b + j:
                yield a + i, b + j


def _on_terminal() -> bool:
    return sys.stderr.isatty()


def _has_more_labels(pair: Pair, than: Pair) -> bool:
    """A pair of faces has labels, which one of whole scenes has not."""
    return None in (than.one.label, than.two.label) and None not in (pair.one.label, pair.two.label)


def _order(pair: Pair) -> tuple[int, tuple[str, str], str, str]:
    one, two = pair.places
    same_set = pair.one.data == pair.two.data
    rank = 2 if one == two else 0 if same_set else 1
    return rank, pair.places, str(pair.one.path), str(pair.two.path)
