"""Errors that are shown to users as one line of text instead of a traceback."""

from __future__ import annotations


class UserError(Exception):
    """An error that the user can correct; the message says what is wrong and how to correct it.

    The command line prints the message as one line on standard error and exits with `exit_code`.
    """

    exit_code = 1


class UsageError(UserError):
    """The command line or the configuration is invalid; nothing was started."""

    exit_code = 2


def first_line(error: BaseException) -> str:
    """Return the first line of the message of `error`, or else its type."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
