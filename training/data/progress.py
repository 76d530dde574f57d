"""How much of a list of samples is looked at, and how a person sees that it goes on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TypeVar

from training.data.datasets import Sample

T = TypeVar("T")
SampleWrapper = Callable[[list[Sample]], Iterable[Sample]]


def subsample(samples: list[Sample], limit: int | None) -> list[Sample]:
    """At most `limit` of `samples`, evenly spread over them."""
    if limit is None or limit >= len(samples):
        return samples
    return [samples[i * len(samples) // limit] for i in range(limit)]


def sample_progress(title: str) -> SampleWrapper:
    """Shows progress over a list of samples on standard error when it takes a while."""

    def wrapped(samples: list[Sample]) -> Iterable[Sample]:
        return with_progress(samples, title, "face")

    return wrapped


def with_progress(items: Iterable[T], title: str, unit: str) -> Iterable[T]:
    """`items`, with progress on standard error when going through them takes a while."""
    from tqdm import tqdm

    return tqdm(  # type: ignore[no-any-return]
        items, desc=title, unit=unit, delay=2, mininterval=0.5 if sys.stderr.isatty() else 10
    )
