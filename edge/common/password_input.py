"""Reading a password that the user types, or that another program sends."""

from __future__ import annotations

import getpass
import sys

from edge.common.errors import UsageError
from edge.common.text_files import NOT_UTF8


def read_password(question: str) -> str:
    """Ask `question` on the terminal, or without one read a line of standard input.

    Returns the answer, which may be empty. Raises UsageError if the user ends the input instead, or
    if the answer is not UTF-8 text.
    """
    try:
        if sys.stdin.isatty():
            password = getpass.getpass(question)
        else:
            password = sys.stdin.readline().rstrip("\r\n")
        password.encode()
    except EOFError:  # Ctrl-D
        sys.stderr.write("\n")
        raise UsageError("no password was given, and nothing was changed") from None
    except UnicodeError:
        raise UsageError(f"the password: {NOT_UTF8}") from None
    return password
