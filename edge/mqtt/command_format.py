"""The format of commands and replies over MQTT.

A command consists of a verb (the last level of its topic) and a JSON object, which may contain
one key: `transaction`, whose value the reply repeats.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from edge import __version__
from edge.common.errors import UserError

log = logging.getLogger(__name__)

#: Executes a verb and returns the keys of its reply besides `status` and `transaction`. It must
#: return quickly, because events wait until it has returned. If it raises UserError, the message
#: becomes the reply's `error`.
VerbHandler = Callable[[], dict[str, Any]]

VERB_PATTERN = re.compile(r"[a-z_]{1,32}")
MAX_COMMAND_BYTES = 1024
MAX_TRANSACTION_CHARACTERS = 128
#: Programs that represent every number as a 64-bit float cannot represent all integers that are
#: larger than this one.
MAX_TRANSACTION_NUMBER = 2**53


class _MalformedError(UserError):
    """A command that cannot be parsed; `transaction` is set if that key was readable."""

    def __init__(self, message: str, transaction: str | float | None = None) -> None:
        super().__init__(message)
        self.transaction = transaction


def ping() -> dict[str, Any]:
    """Handle the built-in verb `ping`: return the version."""
    return {"version": __version__}


def reply_to(verb: str, payload: bytes, verbs: Mapping[str, VerbHandler]) -> dict[str, Any]:
    """Execute a command and return its reply. Never raises: every command is answered.

    The reply's `status` is `ok` or `error`, its `transaction` that of the command, or None.
    """
    transaction: str | float | None = None
    try:
        transaction = _parse_transaction(payload)
        if verb not in verbs:
            raise UserError(f"unknown command {verb!r}; use one of: {', '.join(sorted(verbs))}")
        return {**verbs[verb](), "status": "ok", "transaction": transaction}
    except UserError as error:
        if isinstance(error, _MalformedError):
            transaction = error.transaction
        text = " ".join(str(error).split())
    except Exception:
        # A bug in one command must not stop the delivery of events.
        log.exception("the command %r failed unexpectedly", verb)
        text = "it failed unexpectedly; see the device's log"
    return {"status": "error", "error": text, "transaction": transaction}


def _parse_transaction(payload: bytes) -> str | float | None:
    """Return the command's `transaction`, None without one; raises _MalformedError."""
    if len(payload) > MAX_COMMAND_BYTES:
        raise _MalformedError(f"the command is longer than {MAX_COMMAND_BYTES} bytes")
    if not payload:
        return None
    try:
        body = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _MalformedError(f"the command is not valid JSON: {error}") from None
    if not isinstance(body, dict):
        raise _MalformedError('the command is not a JSON object such as {"transaction": 1}')
    transaction = body.get("transaction")
    if "transaction" in body and not _is_valid_transaction(transaction):
        raise _MalformedError(
            f"`transaction` must be a string of at most {MAX_TRANSACTION_CHARACTERS} characters or"
            " a number of at most 2^53"
        )
    if unknown := sorted(body.keys() - {"transaction"}):
        raise _MalformedError(
            f"unknown key {unknown[0]!r}; only `transaction` is allowed", transaction
        )
    return transaction


def _is_valid_transaction(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_TRANSACTION_CHARACTERS
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and abs(value) <= MAX_TRANSACTION_NUMBER
