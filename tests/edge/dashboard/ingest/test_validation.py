"""Validation of messages: each is decoded, or refused and counted; none causes an error."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.common.paths import event_schema
from edge.dashboard.base.device_slots import MAX_SLOTS
from edge.dashboard.base.messages import EventMessage, Health, Info, State
from edge.dashboard.ingest.validation import MAX_BYTES, NEW_DEVICE_BURST, MessageValidator
from tests.support.clock import Clock
from tests.support.dashboard.events import NOW_S, encoded, end, start

SCHEMA = jsonschema.Draft202012Validator(json.loads(event_schema().read_text()))
EVENTS = "maskpatrol/door1/events"


def validate(topic: str, payload: bytes, retained: bool = False, now_s: float = NOW_S) -> Any:
    validator = MessageValidator("maskpatrol")
    return validator.validate(topic, payload, retained, now_s), dict(validator.refused)


def test_valid_event_is_decoded() -> None:
    body = start(seq=7)
    message, refused = validate(EVENTS, encoded(body))
    event = message.body
    assert isinstance(event, EventMessage)
    assert (event.episode, event.seq, event.at_s) == (body["id"], 7, NOW_S)
    assert refused == {}


def test_health_state_and_status_are_decoded() -> None:
    health = {
        "camera": "ok",
        "fps": 10,
        "warnings": ["hot"],
        "stages_ms": {"frame": {"p50": 1, "p95": 2}},
    }
    message, _ = validate("maskpatrol/door1/health", encoded({**health, "new_figure": [1]}))
    assert isinstance(message.body, Health)
    assert (message.body.fps, message.body.stages_ms["frame"].p95) == (10.0, 2.0)
    message, _ = validate("maskpatrol/door1/state", encoded({"no_mask": True, "people": 2}), True)
    assert message.body == State(no_mask=True, people=2)
    assert message.retained
    assert validate("maskpatrol/door1/status", b"offline")[0].body == "offline"


HTML = "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        ("maskpatrol/door1/event", b"{}", "topic"),
        ("maskpatrol/door1/events/x", b"{}", "topic"),
        ("other/door1/events", b"{}", "topic"),
        (f"maskpatrol/{HTML}/events", b"{}", "topic"),
        ("maskpatrol/" + "d" * 65 + "/status", b"online", "topic"),
        ("maskpatrol/./status", b"online", "topic"),
        ("maskpatrol/../status", b"online", "topic"),
        (EVENTS, b"x" * (MAX_BYTES + 1), "size"),
        (EVENTS, b"", "json"),
        (EVENTS, b"\xff\xfe{}", "json"),
        (EVENTS, b'{"schema": 1', "json"),
        (EVENTS, b'"\xc3\x28"', "json"),
        (EVENTS, b"[" * 10_000, "json"),
        (EVENTS, b"NaN", "json"),
        (EVENTS, b"[]", "schema"),
        (EVENTS, encoded(start(camera=HTML)), "schema"),
        (EVENTS, encoded(start(camera="a\n")), "schema"),
        (EVENTS, encoded(start(seq="7")), "schema"),
        (EVENTS, encoded(start(seq=10**40)), "schema"),
        (EVENTS, encoded(start(seq=True)), "schema"),
        (EVENTS, encoded(start(time="2026-99-99T99:99:99.999Z")), "schema"),
        (EVENTS, encoded(start(extra=1)), "schema"),
        (EVENTS, encoded(start(device="door2")), "device"),
        (EVENTS, encoded({**start(), "id": start("door2")["id"]}), "device"),
        (EVENTS, encoded({**start(), "id": start("door1-2")["id"]}), "device"),
        ("maskpatrol/door1/status", b"ONLINE", "schema"),
        ("maskpatrol/door1/state", encoded({"no_mask": "yes", "people": 1}), "schema"),
        ("maskpatrol/door1/health", encoded({"fps": "fast"}), "schema"),
        ("maskpatrol/door1/health", encoded({"warnings": ["x" * 601]}), "schema"),
        ("maskpatrol/door1/info", b"3", "schema"),
        *(
            ("maskpatrol/door1/info", encoded(body), "schema")
            for title in ("x" * 65, "a\0", "a\nb", "a\u202eb", " ", 7, None)
            for body in ({"title": title}, {"camera": {"name": "a", "title": title}})
        ),
    ],
)  # fmt: skip
def test_invalid_message_is_refused_and_counted(topic: str, payload: bytes, reason: str) -> None:
    assert validate(topic, payload) == (None, {reason: 1})


def test_text_of_a_health_report_has_no_nul() -> None:
    """PostgreSQL cannot store it, in problems and notifications: writing would fail again and
    again."""
    payload = json.dumps({"camera": "dark\0", "warnings": ["a\0b"]}).encode()
    message = MessageValidator("maskpatrol").validate(
        "maskpatrol/door1/health", payload, False, NOW_S
    )
    assert message is not None
    assert message.body == Health(camera="dark", warnings=("ab",))


def test_info_without_titles_is_that_of_an_older_device() -> None:
    message, _ = validate("maskpatrol/door1/info", encoded({"version": "0.1.0"}))
    assert message is not None
    assert isinstance(message.body, Info)
    assert (message.body.title, message.body.camera.title) == ("", "")


@pytest.mark.parametrize("name", [".", "..", "...", ".a", "..a", "a.."])
def test_device_names_are_those_of_the_schema(name: str) -> None:
    message, _ = validate(f"maskpatrol/{name}/events", encoded(start(name)))
    assert (message is not None) == SCHEMA.is_valid(start(name)) == (name not in (".", ".."))


def test_retained_event_is_refused() -> None:
    assert validate(EVENTS, encoded(start()), retained=True) == (None, {"retained": 1})


def test_empty_payload_is_ignored() -> None:
    assert validate("maskpatrol/door1/status", b"") == (None, {})


def test_rate_of_one_device_is_limited() -> None:
    clock = Clock()
    validator = MessageValidator("maskpatrol", ticks=clock)
    sent = [
        validator.validate("maskpatrol/door1/status", b"online", False, NOW_S) for _ in range(300)
    ]
    assert sum(message is not None for message in sent) == 200
    assert validator.refused == {"rate": 100}
    assert validator.validate("maskpatrol/door2/status", b"online", False, NOW_S) is not None
    # Setting the wall clock does not change the limit.
    assert validator.validate("maskpatrol/door1/status", b"online", False, NOW_S + 900.0) is None
    clock.advance(1.0)
    assert validator.validate("maskpatrol/door1/status", b"online", False, NOW_S) is not None


@pytest.mark.slow
def test_invented_names_do_not_block_real_devices() -> None:
    clock = Clock()
    validator = MessageValidator("maskpatrol", ticks=clock)
    online = (b"online", False, NOW_S)
    assert validator.validate("maskpatrol/door1/status", *online)
    for number in range(NEW_DEVICE_BURST + 50):
        validator.validate(f"maskpatrol/d{number}/status", *online)
        validator.validate(f"maskpatrol/d{number}/events", b"{}", False, NOW_S)  # gets no slot
    evicted = validator.pop_evicted()
    assert "door1" not in evicted
    assert len(set(evicted)) >= NEW_DEVICE_BURST // 2 - MAX_SLOTS
    assert validator.refused["strangers"] > 0
    assert validator.validate("maskpatrol/door1/status", *online)
    # All messages of a new real device are accepted while more invented names arrive.
    for second in range(60):
        clock.advance(1.0)
        for number in range(100):
            validator.validate(f"maskpatrol/e{100 * second + number}/status", *online)
        event = encoded(start("door2", second + 1))
        assert validator.validate("maskpatrol/door2/events", event, False, NOW_S)
        assert validator.validate("maskpatrol/door1/status", *online)


@pytest.mark.slow
def test_rate_limit_stays_with_the_slot() -> None:
    clock = Clock()
    validator = MessageValidator("maskpatrol", ticks=clock)
    online = (b"online", False, NOW_S)
    for number in range(MAX_SLOTS):
        validator.validate(f"maskpatrol/d{number}/status", *online)
    accepted = 0
    for number in range(300):
        for _ in range(200):
            accepted += validator.validate(f"maskpatrol/e{number}/status", *online) is not None
    # New devices can get 200 slots, and each slot accepts a burst of at most 200 messages.
    assert accepted <= 200 * 200


@pytest.mark.parametrize(
    ("changes", "at_s"),
    [
        ({}, NOW_S),
        ({"clock_synced": False, "age_s": 30.0}, NOW_S - 30.0),
        ({"clock_synced": False, "age_s": None}, NOW_S),
        ({"time": "2099-01-01T00:00:00.000Z", "age_s": 5.0}, NOW_S - 5.0),
        ({"time": "1970-01-01T00:00:01.000Z", "age_s": 0.03}, NOW_S - 0.03),
        ({"time": "2019-01-01T00:00:01.000Z", "age_s": 5.0}, NOW_S - 5.0),
    ],
)
def test_wrong_device_clock_is_corrected(changes: dict[str, Any], at_s: float) -> None:
    message, _ = validate(EVENTS, encoded(start(**changes)))
    assert message.body.at_s == at_s
    assert message.body.clock_synced == (changes == {})


def test_time_of_a_replayed_event_is_kept() -> None:
    body = start(at_s=NOW_S - 86_400.0, age_s=86_390.0, replayed=True)
    message, _ = validate(EVENTS, encoded(body))
    assert (message.body.at_s, message.body.clock_synced) == (NOW_S - 86_400.0, True)


def test_unsynchronised_dashboard_trusts_device_times() -> None:
    validator = MessageValidator("maskpatrol", lambda: False)
    for behind_s in (-200 * 86_400.0, 200 * 86_400.0):
        message = validator.validate(EVENTS, encoded(start()), False, NOW_S + behind_s)
        assert message is not None
        event = message.body
        assert isinstance(event, EventMessage)
        assert (event.at_s, event.clock_synced) == (NOW_S, True)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def tampered(draw: st.DrawFn) -> dict[str, Any]:
    """A valid event of which up to two fields are removed, replaced or added."""
    first = start(seq=draw(st.integers(1, 100)))
    body = copy.deepcopy(draw(st.sampled_from([first, end(first, 9)])))
    for _ in range(draw(st.integers(0, 2))):
        key = draw(st.sampled_from([*body, "more"]))
        if draw(st.booleans()):
            body.pop(key, None)
        else:
            body[key] = draw(json_values)
    return body


@pytest.mark.slow
@given(tampered())
@settings(max_examples=300)
def test_validation_agrees_with_the_schema(
    body: dict[str, Any],
) -> None:
    message, refused = validate(EVENTS, json.dumps(body).encode())
    valid = SCHEMA.is_valid(body)
    if message is not None:
        assert valid
    elif valid:  # the rules that are not in the schema
        assert set(refused) <= {"device"} or not str(body["camera"]).isprintable() or any(
            isinstance(body[k], int | float) and body[k] > 2**53
            for k in ("seq", "readings", "duration_s", "age_s")
        )  # fmt: skip


@pytest.mark.slow
@given(st.text(max_size=60), st.binary(max_size=200), st.booleans())
def test_no_message_raises(leaf: str, payload: bytes, retained: bool) -> None:
    for topic in (
        leaf,
        f"maskpatrol/{leaf}/events",
        *(f"maskpatrol/d/{x}" for x in ("events", "state", "health", "info", "status")),
    ):
        validate(topic, payload, retained)  # fmt: skip
