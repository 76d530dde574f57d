"""The one door for what comes by MQTT: nothing of it is trusted.

Topic, size, rate, JSON, schema and bounds are checked in this order, the cheapest first.
What is refused is counted by its reason, and named in the log now and then.
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
#: Of a device. Browsers take `.` and `..` in an address for another page.
DEVICE_NAME = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,64}")
#: An episode's id.
EPISODE_ID = re.compile(r"[A-Za-z0-9._-]{1,96}")
#: The largest body that a device of ours sends is a tenth of this.
MAX_BYTES = 16 * 1024
#: A whole outbox may come at once; beyond it, what many people at many doors give.
EVENT_BURST, EVENTS_PER_S = 110_000, 20.0
#: All else: what a device says of itself when it connects, and each few seconds.
OTHER_BURST, OTHERS_PER_S = 200, 10.0
#: All names together that have no place yet: each message is looked through before it gives one.
STRANGER_BURST, STRANGERS_PER_S = 4 * MAX_SLOTS, 200.0
MAX_NUMBER = 2**53
#: Time and age that disagree by more are not both right: the age is, as it is told by a clock
#: that is never set.
DISAGREE_S = 6 * 3600.0
#: What an episode's id has after the name of its device: a dash and a ULID.
ID_TAIL = 27

REFUSAL_REASONS = {
    "topic": "on an unknown topic",
    "size": f"larger than {MAX_BYTES} bytes",
    "rate": "above the rate that a device may send",
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
    """Turns messages into what they say, or counts them as refused."""

    def __init__(
        self,
        base: str,
        our_clock_is_right: Callable[[], bool] = lambda: True,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """`base` is the first level of the topics; `our_clock_is_right` tells whether the times
        of devices can be checked by it; `ticks` are seconds that no setting of a clock moves."""
        self._ticks = ticks
        self._base = base
        self._our_clock_is_right = our_clock_is_right
        schema = json.loads(event_schema().read_text(encoding="utf-8"))
        self._schema = jsonschema.Draft202012Validator(schema)
        self._places = DeviceSlots()
        #: By the number of the place: who takes one takes what is left of its rate.
        self._events: TokenBuckets[int] = TokenBuckets(EVENT_BURST, EVENTS_PER_S)
        self._others: TokenBuckets[int] = TokenBuckets(OTHER_BURST, OTHERS_PER_S)
        self._strangers: TokenBuckets[None] = TokenBuckets(STRANGER_BURST, STRANGERS_PER_S)
        self._gone: list[str] = []
        self._refused: Counter[str] = Counter()

    @property
    def refused(self) -> Mapping[str, int]:
        """How many messages were refused, by the reasons in `REFUSAL_REASONS`."""
        return dict(self._refused)

    def know(self, silent_s: Mapping[str, float]) -> list[str]:
        """Devices of before, in the order in which they came, and how long each has been silent,
        lest a restart count as a word; gives those that have got a place."""
        at_s = self._ticks()
        return self._places.fill({name: at_s - since_s for name, since_s in silent_s.items()})

    def forget(self, name: str) -> None:
        """This one needs its place no more."""
        self._places.leave(name)

    def gone(self) -> list[str]:
        """Who has lost their place to another name, since this was asked last; to be asked by the
        thread that calls `take`."""
        gone, self._gone = self._gone, []
        return gone

    def take(
        self,
        topic: str,
        payload: bytes,
        retained: bool,
        now_s: float,
        retired: Container[str] = (),
    ) -> Message | None:
        """What a message says; None when it is refused, or says nothing: an empty one takes
        a retained message away, and what the broker kept of `retired` devices is no word of
        theirs. `now_s` is seconds since the epoch. Never raises."""
        try:
            device, leaf = self._address(topic)
            if retained and device in retired:
                return None
            if len(payload) > MAX_BYTES:
                raise _RefusedError("size", f"{len(payload)} bytes")
            if not payload and leaf != "events":
                return None
            at_s = self._ticks()
            place = self._places.hear(device, at_s)
            self._pace(place, leaf, at_s)
            body = self._body(device, leaf, payload, retained, now_s)
            if place is None:
                self._let_in(device, leaf, at_s)
            return Message(device, body, now_s, retained)
        except _RefusedError as error:
            self._refused[error.reason] += 1
            log.warning(
                "refused a message %s: %.200s", REFUSAL_REASONS[error.reason], ascii(str(error))
            )
        return None

    def refuse_topic(self) -> None:
        """Count a message whose topic is not even text."""
        self._refused["topic"] += 1

    def refuse_event(self, event: EventMessage, error: Exception) -> None:
        """Count an event that the database holds for wrong."""
        self._refused["kept"] += 1
        why = ascii(str(getattr(error, "orig", None) or error))
        log.error("the database does not take %s of %s: %.200s", event.seq, event.device, why)

    def _address(self, topic: str) -> tuple[str, str]:
        levels = topic.split("/")
        if len(levels) != 3 or levels[0] != self._base or levels[2] not in LEAVES:
            raise _RefusedError("topic", topic[:100])
        if not DEVICE_NAME.fullmatch(levels[1]):
            raise _RefusedError("topic", topic[:100])
        return levels[1], levels[2]

    def _pace(self, place: int | None, leaf: str, at_s: float) -> None:
        if place is None:
            if not self._strangers.take(None, at_s):
                raise _RefusedError("strangers")
            return
        buckets = self._events if leaf == "events" else self._others
        if not buckets.take(place, at_s):
            raise _RefusedError("rate", f"place {place}")

    def _let_in(self, device: str, leaf: str, at_s: float) -> None:
        """It has said something valid, and so gets a place, also when that bears no more now."""
        place, gone = self._places.enter(device, at_s)
        if gone:
            self._gone.append(gone)
        self._pace(place, leaf, at_s)

    def _body(self, device: str, leaf: str, payload: bytes, retained: bool, now_s: float) -> Body:
        if leaf == "status":
            if payload == b"online":
                return "online"
            if payload == b"offline":
                return "offline"
            raise _RefusedError("schema", "status is neither online nor offline")
        try:
            raw = msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _RefusedError("json", str(error)) from None
        if leaf == "events":
            if retained:
                raise _RefusedError("retained", device)
            return self._event(device, raw, now_s)
        kind: type[State] | type[Health] | type[Info]
        kind = {"state": State, "health": Health, "info": Info}[leaf]  # type: ignore[assignment]
        try:
            return _without_nul(msgspec.convert(raw, kind))
        except (msgspec.ValidationError, RecursionError) as error:
            raise _RefusedError("schema", f"{leaf}: {error}") from None

    def _event(self, device: str, raw: Any, now_s: float) -> EventMessage:
        try:
            error = next(self._schema.iter_errors(raw), None)
        except RecursionError:
            raise _RefusedError("schema", "nested too deeply") from None
        if error is not None:
            raise _RefusedError("schema", error.message)
        # The schema's patterns end in $, which Python lets a line's end follow.
        if raw["camera"].endswith("\n") or raw["id"].endswith("\n"):
            raise _RefusedError("schema", "a name that ends in a line's end")
        if raw["device"] != device or raw["id"][:-ID_TAIL] != device:
            raise _RefusedError("device", device)
        numbers = (raw["seq"], raw["readings"], raw["duration_s"] or 0, raw["age_s"] or 0)
        if max(numbers) > MAX_NUMBER:
            raise _RefusedError("schema", "a number beyond 2^53")
        at_s, sure = _happened_s(raw, now_s, self._our_clock_is_right())
        return EventMessage(
            device=device,
            camera=raw["camera"],
            episode=raw["id"],
            event_type=raw["event_type"],
            seq=int(raw["seq"]),
            at_s=at_s,
            received_s=now_s,
            clock_synced=sure,
            replayed=raw["replayed"],
            label=raw["label"],
            score=float(raw["score"]),
            readings=int(raw["readings"]),
            duration_s=None if raw["duration_s"] is None else float(raw["duration_s"]),
            ended_by=raw["ended_by"],
            model=raw["model"].strip(),
        )


def _without_nul(body: State | Health | Info) -> State | Health | Info:
    """PostgreSQL keeps no text that holds one, and nobody needs it."""
    if isinstance(body, Health) and any("\0" in line for line in body.warnings):
        lines = tuple(line.replace("\0", "") for line in body.warnings)
        return msgspec.structs.replace(body, warnings=lines)
    return body


def _happened_s(raw: Mapping[str, Any], now_s: float, checked: bool) -> tuple[float, bool]:
    """Seconds since the epoch, and whether that is more than an estimate: by its age where the
    device's clock is not to be trusted; `checked`: ours is."""
    try:
        told_s = datetime.fromisoformat(raw["time"].strip()).timestamp()
    except (ValueError, OverflowError):
        raise _RefusedError("schema", "`time` is no time") from None
    by_age_s = max(0.0, now_s - float(raw["age_s"] or 0.0))
    if not raw["clock_synced"] or told_s <= 0.0:
        return by_age_s, False
    if not checked:
        return told_s, True
    behind = raw["age_s"] is not None and by_age_s - told_s > DISAGREE_S
    if told_s > now_s + MAX_CLOCK_AHEAD_S or behind:
        return by_age_s, False
    return told_s, True
