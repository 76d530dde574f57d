"""How the pages name a device: its title, if it has one, and its identifier."""

from __future__ import annotations

#: Isolate the direction of a title from the text around it (FIRST STRONG ISOLATE, POP DIRECTIONAL
#: ISOLATE): a title may be in a script that is written from right to left.
ISOLATE, END = "\u2068", "\u2069"


def display_name(name: str, title: str) -> str:
    """Return the title and the name of a device or a camera; without a title, the name alone.

    Anybody may choose the title of another device, but the name is that of the topic, which the
    access rules of the broker protect. The same as `displayName` in common.js.
    """
    return f"{ISOLATE}{title}{END} ({name})" if title and title != name else name
