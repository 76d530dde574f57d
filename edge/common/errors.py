"""Errors that are shown to users as one line of text instead of a traceback."""

from __future__ import annotations

from edge.common.hidden_passwords import hide_passwords


class UserError(Exception):
    """An error that the user can correct; the message says what is wrong and how to correct it.

    The command line prints the message as one line on standard error and exits with `exit_code`.
    The message may contain text of a file or of another machine, so control characters in it are
    replaced as `printable` does; newlines separate several mistakes. The passwords of addresses in
    it are hidden.
    """

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        super().__init__("\n".join(map(printable, hide_passwords(message).split("\n"))))


class UsageError(UserError):
    """The command line or the configuration is invalid; nothing was started."""

    exit_code = 2


def printable(text: str) -> str:
    """Return `text` with each character that cannot be shown replaced by its escape sequence.

    Such a character could control the terminal or, as a newline, look like another message.
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def first_line(error: BaseException) -> str:
    """Return the first line of the message of `error`, or else its type."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
