"""Text that somebody typed into a page, as it is stored and shown to others."""

from __future__ import annotations

import unicodedata

#: Control characters, halves of characters, and code points without a meaning.
_REMOVED_CATEGORIES = frozenset({"Cc", "Cs", "Co", "Cn"})
#: The controls that change the direction of the text behind them, even outside of this text.
_DIRECTION_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def one_line(text: str, max_length: int) -> str:
    """Return `text` as one line of at most `max_length` characters.

    Line breaks and other white space become single spaces; control characters are removed.
    """
    words = "".join(
        " " if char.isspace() else char
        for char in text
        if char.isspace()
        or not (unicodedata.category(char) in _REMOVED_CATEGORIES or char in _DIRECTION_CONTROLS)
    ).split()
    return " ".join(words)[:max_length].rstrip()
