"""Progress over samples, and evenly spread subsamples."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from training.data.datasets import Sample
from training.data.progress import sample_progress, subsample, with_progress
from training.data.splits import Split


def samples(count: int) -> list[Sample]:
    return [Sample(Path(f"{index}.png"), "mask", Split.TRAIN) for index in range(count)]


@given(count=st.integers(0, 200), limit=st.integers(1, 50))
def test_subsample_is_evenly_spread(count: int, limit: int) -> None:
    everything = samples(count)
    chosen = subsample(everything, limit)
    assert len(chosen) == min(count, limit)
    places = [int(sample.path.stem) for sample in chosen]
    gaps = {after - before for before, after in pairwise(places)}
    assert all(gap >= 1 for gap in gaps)
    assert not gaps or max(gaps) - min(gaps) <= 1


def test_no_limit_keeps_all_samples() -> None:
    everything = samples(5)
    assert subsample(everything, None) == everything


def test_progress_yields_every_item_in_order() -> None:
    everything = samples(3)
    assert list(sample_progress("reading")(everything)) == everything
    assert list(with_progress(iter("abc"), "reading", "letter")) == ["a", "b", "c"]
