from __future__ import annotations

import pytest

from edge.common.percentages import format_percent


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (1.0, ">99%"),
        (0.9951, ">99%"),
        (0.994, "99%"),
        (0.7382, "74%"),
        (0.004, "<1%"),
        (0.0, "<1%"),
    ],
)
def test_score_is_never_certain(share: float, text: str) -> None:
    assert format_percent(share) == text
