from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.common.clock import Moment, UtcClock
from edge.common.paths import event_schema
from edge.events.alert_machine import Event
from edge.events.episode_id import new_episode_id
from edge.mqtt.payloads import Origin, Topics, end_after_restart, event_payload, published_body
from edge.outbox.tables import PendingEvent

VALIDATOR = jsonschema.Draft202012Validator(json.loads(event_schema().read_text()))
ORIGIN = Origin("door1", "entrance", "sha256:" + "0" * 64)
fraction = st.floats(0, 1)
events = st.builds(
    Event,
    event_type=st.just("no_mask_end"),
    episode=st.just(new_episode_id("door1")),
    at_s=st.floats(0, 1e6),
    score=fraction,
    readings=st.integers(1, 1000),
    box=st.tuples(fraction, fraction, fraction, fraction),
    duration_s=st.floats(0, 1e6),
    ended_by=st.sampled_from(["masked", "left", "shutdown"]),
)


@given(events)
def test_payload_matches_schema(event: Event) -> None:
    payload = event_payload(event, ORIGIN, UtcClock(lambda: 1.77e9), clock_synced=True)
    assert VALIDATOR.is_valid({**payload, "seq": 1, "age_s": 0.5, "replayed": False})


@pytest.mark.parametrize(
    "change", [{"ended_by": None}, {"box": [0, 0, 2, 1]}, {"seq": 0}, {"x": 1}]
)
def test_schema_rejects_invalid_payload(change: dict[str, object]) -> None:
    event = Event("no_mask_end", new_episode_id("d"), 1.0, 0.9, 5, (0, 0, 1, 1), 2.0, "left")
    payload = event_payload(event, ORIGIN, UtcClock(lambda: 0.0), clock_synced=True)
    good = {**payload, "seq": 1, "age_s": 0.5, "replayed": False}
    VALIDATOR.validate(good)
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate({**good, **change})


def test_topics_contain_base_and_device() -> None:
    assert Topics("maskpatrol", "door1")["events"] == "maskpatrol/door1/events"


def pending_end(clock_s: float, synced: bool, boot_s: float) -> PendingEvent:
    event = Event("no_mask_end", new_episode_id("d"), 0.0, 0.9, 5, (0, 0, 1, 1), 2.0, "left")
    payload = event_payload(event, ORIGIN, UtcClock(lambda: clock_s), clock_synced=synced)
    return PendingEvent(7, Moment(clock_s, synced, "one", boot_s), payload)


def test_time_is_corrected_after_clock_is_set() -> None:
    """The event happens 20 s after power-on in 1970; the clock is set 80 s later."""
    at = Moment(1772352903.0, True, "one", 100.0)
    body = published_body(pending_end(5000.0, False, 20.0), at, at)
    VALIDATOR.validate(body)
    assert (body["time"], body["clock_synced"]) == ("2026-03-01T08:13:43.000Z", True)
    assert (body["age_s"], body["replayed"], body["seq"]) == (80.0, True, 7)


def test_wrong_time_stays_marked_after_reboot() -> None:
    later = Moment(1772352903.0, True, "two", 100.0)
    body = published_body(pending_end(5000.0, False, 20.0), later, later)
    VALIDATOR.validate(body)
    assert (body["time"], body["clock_synced"]) == ("1970-01-01T01:23:20.000Z", False)
    assert (body["age_s"], body["replayed"]) == (None, True)


def test_new_event_with_right_time_is_unchanged() -> None:
    at = Moment(1772352903.0, True, "one", 100.0)
    online_since = Moment(1772352803.0, True, "one", 0.0)
    body = published_body(pending_end(1772352902.0, True, 99.0), online_since, at)
    assert (body["time"], body["age_s"], body["replayed"]) == ("2026-03-01T08:15:02.000Z", 1, False)
    # The clock jumped by a year between the connect and the event; the result is the same.
    early = Moment(1740000000.0, False, "one", 0.0)
    assert published_body(pending_end(1772352902.0, True, 99.0), early, at)["replayed"] is False


@pytest.mark.parametrize(
    ("boot", "synced", "lasted_s"), [("one", False, 80.0), ("two", True, 83.0)]
)
def test_alert_cut_off_by_power_cut_is_ended(boot: str, synced: bool, lasted_s: float) -> None:
    event = Event("no_mask_start", new_episode_id("d"), 0.0, 0.9, 5, (0, 0, 1, 1))
    payload = event_payload(event, ORIGIN, UtcClock(lambda: 1772352820.0), clock_synced=True)
    start = PendingEvent(7, Moment(1772352820.0, True, "one", 20.0), payload)
    at = Moment(1772352903.0, synced, boot, 100.0)
    body = published_body(PendingEvent(9, at, end_after_restart(start, at)), at, at)
    VALIDATOR.validate(body)
    assert (body["id"], body["event_type"], body["seq"]) == (payload["id"], "no_mask_end", 9)
    assert (body["ended_by"], body["duration_s"]) == ("shutdown", lasted_s)
    assert body["time"] == "2026-03-01T08:15:03.000Z"


def test_duration_is_null_if_clock_was_not_set() -> None:
    event = Event("no_mask_start", new_episode_id("d"), 0.0, 0.9, 5, (0, 0, 1, 1))
    payload = event_payload(event, ORIGIN, UtcClock(lambda: 5000.0), clock_synced=False)
    start = PendingEvent(7, Moment(5000.0, False, "one", 20.0), payload)
    at = Moment(6000.0, False, "two", 3.0)
    body = published_body(PendingEvent(9, at, end_after_restart(start, at)), at, at)
    VALIDATOR.validate(body)
    assert body["duration_s"] is None
