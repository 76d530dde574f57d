"""Commands over MQTT: what may be asked, and what is answered.

A command is a verb (the last level of its topic) and a JSON object that may hold one
key, `transaction`, which its reply repeats.
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

#: What a verb does; gives what its reply says beside `status`. It must return at once,
#: as events wait meanwhile. A UserError becomes the reply's `error`.
Verb = Callable[[], dict[str, Any]]

VERB = re.compile(r"[a-z_]{1,32}")
MAX_BYTES = 1024
MAX_CHARACTERS = 128
#: Beyond this, programs that know floating-point numbers only change the number.
MAX_NUMBER = 2**53


class _MalformedError(UserError):
    """A command that cannot be understood; `transaction` if that much was readable."""

    def __init__(self, message: str, transaction: str | float | None = None) -> None:
        super().__init__(message)
        self.transaction = transaction


def ping() -> dict[str, Any]:
    """Built in: that we are there, and which version."""
    return {"version": __version__}


def answer(verb: str, payload: bytes, verbs: Mapping[str, Verb]) -> dict[str, Any]:
    """The reply to a command: `status` ok or error, `transaction` as it came (None without).

    Never raises: whatever comes is answered.
    """
    transaction: str | float | None = None
    try:
        transaction = _transaction(payload)
        if verb not in verbs:
            raise UserError(f"unknown command {verb!r}; there are: {', '.join(sorted(verbs))}")
        return {**verbs[verb](), "status": "ok", "transaction": transaction}
    except UserError as error:
        if isinstance(error, _MalformedError):
            transaction = error.transaction
        text = " ".join(str(error).split())
    except Exception:
        # A fault of ours in one command must not end the delivery of events.
        log.exception("the command %r failed unexpectedly", verb)
        text = "it failed unexpectedly; the device's log says how"
    return {"status": "error", "error": text, "transaction": transaction}


def _transaction(payload: bytes) -> str | float | None:
    """Raises _MalformedError for what is no command."""
    if len(payload) > MAX_BYTES:
        raise _MalformedError(f"the command is longer than {MAX_BYTES} bytes")
    if not payload:
        return None
    try:
        body = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _MalformedError(f"the command is not valid JSON: {error}") from None
    if not isinstance(body, dict):
        raise _MalformedError('the command is no JSON object such as {"transaction": 1}')
    transaction = body.get("transaction")
    if "transaction" in body and not _is_transaction(transaction):
        raise _MalformedError(
            f"`transaction` is a text of at most {MAX_CHARACTERS} characters or a number of at"
            " most 2^53"
        )
    if unknown := sorted(body.keys() - {"transaction"}):
        raise _MalformedError(f"unknown key {unknown[0]!r}; there is `transaction`", transaction)
    return transaction


def _is_transaction(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_CHARACTERS
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and abs(value) <= MAX_NUMBER
