from __future__ import annotations

import pytest

from edge.dashboard.base.typed_text import one_line


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("Anna", "Anna"),
        ("  was\r\n\ttold\u2028twice ", "was told twice"),
        ("a\0b\x1b[31m", "ab[31m"),
        ("\u202eannA\ud800", "annA"),
        ("\u05d3\u05dc\u05ea \u5165\u53e3", "\u05d3\u05dc\u05ea \u5165\u53e3"),
        ("\n \0", ""),
    ],
)
def test_text_becomes_one_line_without_controls(typed: str, text: str) -> None:
    assert one_line(typed, 80) == text


def test_long_text_is_cut_off() -> None:
    assert one_line("ab " * 100, 6) == "ab ab"
