"""The one error that reaches a user as a line of text instead of a traceback."""

from __future__ import annotations


class UserError(Exception):
    """Something that the user can mend; the message says what is wrong and how.

    The command line prints it as one line on standard error and exits with
    `exit_code`.
    """

    exit_code = 1


class UsageError(UserError):
    """The command or the configuration itself is wrong; nothing was started."""

    exit_code = 2
