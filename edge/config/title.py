"""Titles: names for people, which stand beside the identifiers of a device and of its camera."""

from __future__ import annotations

import unicodedata

#: A title is shown in lists and at the top of pages.
MAX_CHARACTERS = 64
#: Control characters, halves of characters, and separators of lines and paragraphs.
_REFUSED_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
#: The controls that change the direction of the text behind them, even outside of the title. Text
#: in a script that is written from right to left needs none of them.
DIRECTION_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def title_mistake(text: str) -> str:
    """Return why `text` cannot be a title, as a sentence; empty if it is one, or empty itself.

    A title is any text of Unicode in one line.
    """
    if len(text) > MAX_CHARACTERS:
        return f"a title has at most {MAX_CHARACTERS} characters, and this one has {len(text)}"
    for char in text:
        if unicodedata.category(char) in _REFUSED_CATEGORIES or char in DIRECTION_CONTROLS:
            return (
                "a title is text in one line without control characters, and this one contains"
                f" U+{ord(char):04X}: remove it"
            )
    if text != text.strip():
        return "a title does not begin or end with a space: remove it"
    return ""


def require_title(text: str) -> None:
    """Raise ValueError, which names the setting `title`, if `text` cannot be a title."""
    if mistake := title_mistake(text):
        raise ValueError(f"`title`: {mistake}")
