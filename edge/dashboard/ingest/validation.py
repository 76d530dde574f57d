"""Validation of every message that arrives by MQTT, as anyone may have published it.

Topic, size, rate, JSON, schema and bounds are checked in this order, the cheapest check first.
Refused messages are counted by reason and logged.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Container, Mapping
from datetime import datetime
from typing import Any

import jsonschema
import msgspec

from edge.common.paths import event_schema
from edge.dashboard.base.device_slots import MAX_SLOTS, DeviceSlots
from edge.dashboard.base.messages import (
    MAX_CLOCK_AHEAD_S,
    Body,
    EventMessage,
    Health,
    Info,
    Message,
    State,
)
from edge.dashboard.base.token_bucket import TokenBuckets

log = logging.getLogger(__name__)

LEAVES = ("events", "status", "state", "health", "info")
#: A device's name. `.` and `..` are excluded: browsers resolve them in a URL to another page.
DEVICE_NAME = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,64}")
#: The ID of an episode.
EPISODE_ID = re.compile(r"[A-Za-z0-9._-]{1,96}")
#: Ten times the size of the largest payload that Mask Patrol publishes.
MAX_BYTES = 16 * 1024
#: The limit of events per device: a whole outbox at once, and then the rate of a busy entrance.
EVENT_BURST, EVENTS_PER_S = 110_000, 20.0
#: The limit of other messages per device, which sends many on connecting and then one every few
#: seconds.
OTHER_BURST, OTHERS_PER_S = 200, 10.0
#: The limit for all devices without a slot together. A device gets a slot with its first valid
#: message, so each of these messages has to be validated.
NEW_DEVICE_BURST, NEW_DEVICES_PER_S = 4 * MAX_SLOTS, 200.0
MAX_NUMBER = 2**53
#: If an event's time contradicts its age by more than this, the age is used: the device measures it
#: with a monotonic clock, which is never set.
MAX_DISAGREEMENT_S = 6 * 3600.0
#: How JSON writes a NUL character.
NUL = b"\\u0000"
#: The length of an episode's ID after the device's name: a hyphen and a ULID.
ID_SUFFIX_LENGTH = 27

#: Descriptions for the Health page, which shows them after the number of messages.
REFUSAL_REASONS = {
    "topic": "on an unknown topic",
    "size": f"larger than {MAX_BYTES} bytes",
    "rate": "above the rate limit of a device",
    "strangers": "from too many new device names at once",
    "json": "not valid JSON",
    "schema": "not valid according to the schema",
    "device": "in the name of another device",
    "retained": "retained event (events must not be retained)",
    "kept": "event that the database rejected",
}


class _RefusedError(Exception):
    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail)
        self.reason = reason


class MessageValidator:
    """Decodes valid messages and counts the others; holds the slots of the listed devices."""

    def __init__(
        self,
        base: str,
        our_clock_is_right: Callable[[], bool] = lambda: True,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """Accept messages on topics whose first level is `base`.

        `our_clock_is_right` returns whether this machine's clock can be used to check the times
        that devices send; `ticks` is a monotonic clock in seconds.
        """
        self._ticks = ticks
        self._base = base
        self._our_clock_is_right = our_clock_is_right
        schema = json.loads(event_schema().read_text(encoding="utf-8"))
        self._schema = jsonschema.Draft202012Validator(schema)
        self._slots = DeviceSlots()
        #: Keyed by slot number: a device that takes over a slot also takes over its tokens.
        self._event_limits: TokenBuckets[int] = TokenBuckets(EVENT_BURST, EVENTS_PER_S)
        self._other_limits: TokenBuckets[int] = TokenBuckets(OTHER_BURST, OTHERS_PER_S)
        self._new_devices: TokenBuckets[None] = TokenBuckets(NEW_DEVICE_BURST, NEW_DEVICES_PER_S)
        self._evicted: list[str] = []
        self._refused: Counter[str] = Counter()

    @property
    def refused(self) -> Mapping[str, int]:
        """How many messages were refused, by the keys of `REFUSAL_REASONS`."""
        return dict(self._refused)

    def restore_devices(self, silent_s: Mapping[str, float]) -> list[str]:
        """Assign slots to the devices of an earlier run, oldest first, while slots are free.

        `silent_s` says for how long each device has been silent, so that a restart does not count
        as a message. Return the devices that got a slot.
        """
        now_s = self._ticks()
        return self._slots.restore({name: now_s - since_s for name, since_s in silent_s.items()})

    def release_device(self, name: str) -> None:
        """Free the slot of a device."""
        self._slots.release(name)

    def pop_evicted(self) -> list[str]:
        """Return the devices that lost their slots since the last call.

        Only the thread that calls `validate` may call this.
        """
        evicted, self._evicted = self._evicted, []
        return evicted

    def validate(
        self,
        topic: str,
        payload: bytes,
        retained: bool,
        now_s: float,
        retired: Container[str] = (),
    ) -> Message | None:
        """Decode a message that arrived at `now_s`, in seconds since the epoch; never raises.

        Return None if the message is refused or ignored. Two kinds are ignored: an empty payload,
        which only deletes a retained message, and a retained message of one of the `retired`
        devices, which is older than its retirement.
        """
        try:
            device, leaf = self._parse_topic(topic)
            if retained and device in retired:
                return None
            if len(payload) > MAX_BYTES:
                raise _RefusedError("size", f"{len(payload)} bytes")
            if not payload and leaf != "events":
                return None
            ticks_s = self._ticks()
            slot = self._slots.touch(device, ticks_s)
            self._limit_rate(slot, leaf, ticks_s)
            body = self._decode(device, leaf, payload, retained, now_s)
            if slot is None:
                self._assign_slot(device, leaf, ticks_s)
            return Message(device, body, now_s, retained)
        except _RefusedError as error:
            self._refused[error.reason] += 1
            reason = REFUSAL_REASONS[error.reason]
            log.warning("refused a message: %s: %.200s", reason, ascii(str(error)))
        return None

    def refuse_topic(self) -> None:
        """Count a message whose topic is not valid UTF-8."""
        self._refused["topic"] += 1

    def refuse_event(self, event: EventMessage, error: Exception) -> None:
        """Count and log an event that the database rejected."""
        self._refused["kept"] += 1
        cause = ascii(str(getattr(error, "orig", None) or error))
        log.error("the database rejected event %s of %s: %.200s", event.seq, event.device, cause)

    def _parse_topic(self, topic: str) -> tuple[str, str]:
        levels = topic.split("/")
        if len(levels) != 3 or levels[0] != self._base or levels[2] not in LEAVES:
            raise _RefusedError("topic", topic[:100])
        if not DEVICE_NAME.fullmatch(levels[1]):
            raise _RefusedError("topic", topic[:100])
        return levels[1], levels[2]

    def _limit_rate(self, slot: int | None, leaf: str, ticks_s: float) -> None:
        if slot is None:
            if not self._new_devices.consume(None, ticks_s):
                raise _RefusedError("strangers")
            return
        limits = self._event_limits if leaf == "events" else self._other_limits
        if not limits.consume(slot, ticks_s):
            raise _RefusedError("rate", f"slot {slot}")

    def _assign_slot(self, device: str, leaf: str, ticks_s: float) -> None:
        """Assign a slot to a device that sent a valid message, even if the message itself then
        exceeds the rate limit of that slot."""
        slot, evicted = self._slots.assign(device, ticks_s)
        if evicted:
            self._evicted.append(evicted)
        self._limit_rate(slot, leaf, ticks_s)

    def _decode(self, device: str, leaf: str, payload: bytes, retained: bool, now_s: float) -> Body:
        if leaf == "status":
            if payload == b"online":
                return "online"
            if payload == b"offline":
                return "offline"
            raise _RefusedError("schema", "status is neither `online` nor `offline`")
        try:
            raw = msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _RefusedError("json", str(error)) from None
        if leaf == "events":
            if retained:
                raise _RefusedError("retained", device)
            return self._decode_event(device, raw, now_s)
        kind: type[State] | type[Health] | type[Info]
        kind = {"state": State, "health": Health, "info": Info}[leaf]  # type: ignore[assignment]
        try:
            if leaf == "health" and NUL in payload:
                raw = _without_nul(raw)  # of the other messages, no text with NUL is stored
            return msgspec.convert(raw, kind)
        except (msgspec.ValidationError, RecursionError) as error:
            raise _RefusedError("schema", f"{leaf}: {error}") from None

    def _decode_event(self, device: str, raw: Any, now_s: float) -> EventMessage:
        try:
            error = next(self._schema.iter_errors(raw), None)
        except RecursionError:
            raise _RefusedError("schema", "nested too deeply") from None
        if error is not None:
            raise _RefusedError("schema", error.message)
        # The schema's patterns end in $, which in Python also matches before a final newline.
        if raw["camera"].endswith("\n") or raw["id"].endswith("\n"):
            raise _RefusedError("schema", "a name ends in a newline")
        if raw["device"] != device or raw["id"][:-ID_SUFFIX_LENGTH] != device:
            raise _RefusedError("device", device)
        numbers = (raw["seq"], raw["readings"], raw["duration_s"] or 0, raw["age_s"] or 0)
        if max(numbers) > MAX_NUMBER:
            raise _RefusedError("schema", "a number is greater than 2^53")
        at_s, is_reliable = _event_time_s(raw, now_s, self._our_clock_is_right())
        return EventMessage(
            device=device,
            camera=raw["camera"],
            episode=raw["id"],
            event_type=raw["event_type"],
            seq=int(raw["seq"]),
            at_s=at_s,
            received_s=now_s,
            clock_synced=is_reliable,
            replayed=raw["replayed"],
            label=raw["label"],
            score=float(raw["score"]),
            readings=int(raw["readings"]),
            duration_s=None if raw["duration_s"] is None else float(raw["duration_s"]),
            ended_by=raw["ended_by"],
            model=raw["model"].strip(),
        )


def _without_nul(value: Any) -> Any:
    """Return a value of JSON without NUL characters: PostgreSQL cannot store them in text."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(item) for name, item in value.items()}
    return value


def _event_time_s(raw: Mapping[str, Any], now_s: float, clock_is_right: bool) -> tuple[float, bool]:
    """Return when an event happened, in seconds since the epoch, and whether that is reliable.

    If the device's clock is wrong, the time is estimated from the event's age, and is not reliable.
    `clock_is_right`: whether the device's time can be checked against this machine's clock.
    """
    try:
        device_s = datetime.fromisoformat(raw["time"].strip()).timestamp()
    except (ValueError, OverflowError):
        raise _RefusedError("schema", "`time` is not a date and time") from None
    estimate_s = max(0.0, now_s - float(raw["age_s"] or 0.0))
    if not raw["clock_synced"] or device_s <= 0.0:
        return estimate_s, False
    if not clock_is_right:
        return device_s, True
    is_behind = raw["age_s"] is not None and estimate_s - device_s > MAX_DISAGREEMENT_S
    if device_s > now_s + MAX_CLOCK_AHEAD_S or is_behind:
        return estimate_s, False
    return device_s, True
