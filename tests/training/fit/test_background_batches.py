"""Batches made in background threads."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from training.fit.background_batches import (
    MAX_BATCHES_AHEAD,
    Ints,
    batches_in_background,
)

ORDER = np.random.default_rng(3).permutation(64)


def describe(chosen: Ints, place: list[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(chosen.tolist()), tuple(place)


def test_batches_come_in_order_without_incomplete_last_batch() -> None:
    batches = list(batches_in_background(describe, ORDER, 5, [7, 2]))
    assert [place for _, place in batches] == [(7, 2, step) for step in range(12)]
    assert [index for chosen, _ in batches for index in chosen] == ORDER[:60].tolist()


def test_error_in_thread_reaches_caller() -> None:
    def fail_at_third(chosen: Ints, place: list[int]) -> int:
        if place[-1] == 2:
            raise ValueError("the third batch")
        return place[-1]

    batches = batches_in_background(fail_at_third, ORDER, 4, [1])
    assert [next(batches), next(batches)] == [0, 1]
    with pytest.raises(ValueError, match="the third batch"):
        next(batches)


def test_few_batches_are_made_ahead_and_none_after_close() -> None:
    made, lock = [], threading.Lock()

    def remember(chosen: Ints, place: list[int]) -> int:
        with lock:
            made.append(place[-1])
        return place[-1]

    batches = batches_in_background(remember, ORDER, 1, [1])
    assert next(batches) == 0
    batches.close()  # type: ignore[attr-defined]  # waits for the threads
    assert set(made) <= set(range(MAX_BATCHES_AHEAD + 2))
