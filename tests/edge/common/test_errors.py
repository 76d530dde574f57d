from __future__ import annotations

import pytest

from edge.common.errors import UserError, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("bröker 日本", "bröker 日本"),
        ("a\nb\r\t", r"a\nb\r\t"),
        ("\x1b[2J\x07\x85\u202e", r"\x1b[2J\x07\x85\u202e"),
        ("\udcff", r"\udcff"),
    ],
)
def test_only_characters_that_can_be_shown_are_kept(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_error_keeps_its_lines_and_escapes_control_characters() -> None:
    assert str(UserError("a \x1b[2J\nb\r")) == "a \\x1b[2J\nb\\r"
