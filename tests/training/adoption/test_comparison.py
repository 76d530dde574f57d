"""When a model is worse than another, and the table of both."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.adoption.comparison import Comparison, Figure


def compared(new: float, present: float | None) -> Comparison:
    def figures(value: float) -> list[Figure]:
        return [Figure("accuracy", value, decides=True), Figure("shown only", 1 - value)]

    before = [] if present is None else figures(present)
    return Comparison(Path("run/new.keras"), Path("m/old.keras"), "ten", figures(new), before)


@pytest.mark.parametrize(
    ("new", "present", "is_worse"),
    [(0.5, 0.9, True), (0.9, 0.9, False), (0.91, 0.9, False), (0.1, None, False)],
)
def test_lower_figure_that_decides_is_worse(
    new: float, present: float | None, is_worse: bool
) -> None:
    found = compared(new, present).worse
    assert found == (["accuracy: 0.5000 instead of 0.9000"] if is_worse else [])


def test_undefined_figure_is_worse() -> None:
    assert compared(float("nan"), 0.1).worse


def test_table_shows_both_models() -> None:
    lines = compared(0.5, 0.9).lines()
    assert lines[0] == "run/new.keras for m/old.keras, on ten:"
    assert [line.split() for line in lines[1:]] == [
        ["run/new.keras", "m/old.keras"],
        ["accuracy", "*", "0.5000", "0.9000"],
        ["shown", "only", "0.5000", "0.1000"],
    ]
    assert "(no such model)" in compared(0.5, None).lines()[1]
