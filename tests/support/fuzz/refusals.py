"""What every refusal of an input has in common: a clear message, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

from edge.common.errors import UserError

#: Far above the length of a helpful message.
MAX_MESSAGE = 20_000


def refusal(action: Callable[[], object], lines: int | None = 1) -> UserError | None:
    """Return the error with which `action` refuses its input; None if it does not.

    Raises all other errors, and AssertionError unless the message can be shown: it has no control
    characters, and as many lines as `lines` says (None: any number).
    """
    try:
        action()
    except UserError as error:
        refused = error
    else:
        return None
    text = str(refused)
    assert text
    assert len(text) <= MAX_MESSAGE, len(text)
    found = text.split("\n")
    assert lines in (None, len(found)), text
    assert all(line.isprintable() for line in found), ascii(text)
    return refused
