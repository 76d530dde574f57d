"""Progress bars over lists of samples, and subsampling of these lists."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TypeVar

from training.data.datasets import Sample

T = TypeVar("T")
SampleWrapper = Callable[[list[Sample]], Iterable[Sample]]


def subsample(samples: list[Sample], limit: int | None) -> list[Sample]:
    """Return at most `limit` of `samples`, evenly spread over them."""
    if limit is None or limit >= len(samples):
        return samples
    return [samples[i * len(samples) // limit] for i in range(limit)]


def sample_progress(title: str) -> SampleWrapper:
    """Return a function that shows progress over a list of samples, titled `title`."""

    def wrapped(samples: list[Sample]) -> Iterable[Sample]:
        return with_progress(samples, title, "face")

    return wrapped


def with_progress(items: Iterable[T], title: str, unit: str) -> Iterable[T]:
    """Return `items`, showing progress on standard error if the iteration takes more than 2 s."""
    from tqdm import tqdm

    return tqdm(  # type: ignore[no-any-return]
        items, desc=title, unit=unit, delay=2, mininterval=0.5 if sys.stderr.isatty() else 10
    )
