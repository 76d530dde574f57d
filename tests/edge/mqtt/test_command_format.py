from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import __version__
from edge.common.errors import UserError
from edge.mqtt.command_format import (
    MAX_COMMAND_BYTES,
    MAX_TRANSACTION_CHARACTERS,
    MAX_TRANSACTION_NUMBER,
    ping,
    reply_to,
)


def refuse() -> dict[str, Any]:
    raise UserError("not\nwhile it rains")


def crash() -> dict[str, Any]:
    raise KeyError("oops")


VERBS = {"ping": ping, "refuse": refuse, "crash": crash, "pause": lambda: {"paused": True}}

TRANSACTIONS = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=MAX_TRANSACTION_CHARACTERS),
    st.integers(-MAX_TRANSACTION_NUMBER, MAX_TRANSACTION_NUMBER),
    st.floats(-MAX_TRANSACTION_NUMBER, MAX_TRANSACTION_NUMBER, allow_nan=False),
)


def body(**keys: Any) -> bytes:
    return json.dumps(keys).encode()


@pytest.mark.parametrize("payload", [b"", b"{}", b" { } "])
def test_command_may_be_empty(payload: bytes) -> None:
    assert reply_to("ping", payload, VERBS) == {
        "status": "ok",
        "version": __version__,
        "transaction": None,
    }


@given(TRANSACTIONS)
def test_reply_repeats_the_transaction(transaction: str | float) -> None:
    payload = json.dumps({"transaction": transaction}, ensure_ascii=False).encode()
    if len(payload) > MAX_COMMAND_BYTES:
        return
    reply = reply_to("pause", payload, VERBS)
    assert reply == {"status": "ok", "paused": True, "transaction": transaction}
    assert type(reply["transaction"]) is type(transaction)


@pytest.mark.parametrize(
    ("verb", "payload", "error", "transaction"),
    [
        ("pause", b"nonsense", "not valid JSON", None),
        ("pause", b"\xff\xfe", "not valid JSON", None),
        ("pause", b"[" * MAX_COMMAND_BYTES, "not valid JSON", None),
        ("pause", b'{"transaction": NaN}', "not valid JSON", None),
        ("pause", b"[1]", "not a JSON object", None),
        ("pause", b"null", "not a JSON object", None),
        ("pause", b" " * (MAX_COMMAND_BYTES + 1), "longer than 1024 bytes", None),
        (
            "pause",
            body(transaction="x" * (MAX_TRANSACTION_CHARACTERS + 1)),
            "`transaction` must be",
            None,
        ),
        ("pause", body(transaction=True), "`transaction` must be", None),
        ("pause", body(transaction=None), "`transaction` must be", None),
        ("pause", body(transaction=[1]), "`transaction` must be", None),
        ("pause", body(transaction=MAX_TRANSACTION_NUMBER + 1), "`transaction` must be", None),
        ("pause", b'{"transaction": 1e999}', "", None),
        ("pause", body(transaction=7, minutes=5), "unknown key 'minutes'", 7),
        ("fly", body(transaction=8), "'fly'; use one of: crash, pause, ping, refuse", 8),
        ("refuse", body(transaction=9), "not while it rains", 9),
        ("crash", body(transaction="a"), "failed unexpectedly", "a"),
    ],
)
def test_failed_command_is_answered_with_the_reason(
    verb: str, payload: bytes, error: str, transaction: object
) -> None:
    reply = reply_to(verb, payload, VERBS)
    assert reply["status"] == "error"
    assert error in reply["error"]
    assert "\n" not in reply["error"]
    assert reply["transaction"] == transaction
    assert reply.keys() == {"status", "error", "transaction"}


def test_handler_cannot_override_status_or_transaction() -> None:
    reply = reply_to(
        "ping", body(transaction=1), {"ping": lambda: {"status": "x", "transaction": 2}}
    )
    assert reply == {"status": "ok", "transaction": 1}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("transaction"), inner),
)


@given(
    st.sampled_from([*VERBS, "fly", ""]),
    st.binary(max_size=2 * MAX_COMMAND_BYTES) | JSON.map(lambda value: json.dumps(value).encode()),
)
def test_every_payload_is_answered_in_json(verb: str, payload: bytes) -> None:
    reply = reply_to(verb, payload, VERBS)
    assert reply["status"] in ("ok", "error")
    assert isinstance(reply.get("error", ""), str)
    transaction = reply["transaction"]
    assert transaction is None or isinstance(transaction, str) or math.isfinite(transaction)
    assert json.loads(json.dumps(reply, allow_nan=False)) == reply
