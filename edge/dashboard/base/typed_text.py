"""Text that somebody typed into a page, as it is stored and shown to others."""

from __future__ import annotations

import unicodedata

from edge.config.title import DIRECTION_CONTROLS

#: Control characters, halves of characters, and code points without a meaning.
_REMOVED_CATEGORIES = frozenset({"Cc", "Cs", "Co", "Cn"})


def one_line(text: str, max_length: int) -> str:
    """Return `text` as one line of at most `max_length` characters.

    Line breaks and other white space become single spaces; control characters are removed.
    """
    words = "".join(
        " " if char.isspace() else char
        for char in text
        if char.isspace()
        or not (unicodedata.category(char) in _REMOVED_CATEGORIES or char in DIRECTION_CONTROLS)
    ).split()
    return " ".join(words)[:max_length].rstrip()
