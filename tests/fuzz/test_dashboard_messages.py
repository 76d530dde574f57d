"""Messages of hostile devices at the dashboard: an honest device's events are stored and shown.

Every message is acknowledged, so that the broker does not send it again for ever; each is stored,
shown, or counted as refused, and none disturbs the database or causes an unexpected error.
"""

from __future__ import annotations

import itertools
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import strategies as st

from edge.dashboard.history.database import open_database
from edge.dashboard.history.queries import HistoryQueries
from edge.dashboard.history.store import HistoryStore
from edge.dashboard.history.tables import alerts
from edge.dashboard.ingest.broker_connection import ReceivedMessage
from edge.dashboard.ingest.ingest import Ingest
from edge.dashboard.ingest.validation import LEAVES, MAX_BYTES, MAX_NUMBER, MessageValidator
from edge.dashboard.live.live_state import LiveState
from tests.support.dashboard.events import NOW_S, encoded, end, start
from tests.support.fuzz.damage import damaged
from tests.support.fuzz.fuzzer import Fuzzer
from tests.support.waiting import wait_until

#: Messages of devices, and old findings; the name of each file begins with the level of its topic.
CORPUS = sorted((Path(__file__).parent / "corpus" / "messages").iterdir())
SAMPLES = [file.read_bytes() for file in CORPUS]
EPISODE = "evil-01K5K8A4400000000000000000"
TEXTS = ("", "evil", "door1", "\0", "a\n", "<b>", "\x1b[2J", "x" * 700, "2026-99-99T99:99:99.999Z",
         "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", EPISODE)  # fmt: skip
SIZES = (b"", b"1" * MAX_BYTES, b"x" * (MAX_BYTES + 1))
NUMBERS = (0, -1, 1, 10**40, MAX_NUMBER, MAX_NUMBER + 1, 1e308, -1e308, 1e-320, 0.5)
values = st.recursive(
    st.none() | st.booleans() | st.sampled_from(NUMBERS) | st.sampled_from(TEXTS) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(TEXTS), inner, max_size=3)
    ),
    max_leaves=8,
)
levels = st.sampled_from([*LEAVES, "evil", "maskpatrol", "", "+", "\0", "x" * 70, "é", "."])
topics = st.one_of(
    st.sampled_from(LEAVES).map(lambda leaf: f"maskpatrol/evil/{leaf}"),
    st.lists(levels, max_size=4).map("/".join),
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Return a strategy for the payload of a device in which some values are others."""
    begin = start("evil", draw(st.integers(1, 9)), id=EPISODE)
    body: dict[str, Any] = draw(st.sampled_from([begin, end(begin, 2), *map(decoded, SAMPLES)]))
    changes = draw(st.dictionaries(st.sampled_from([*body, *TEXTS]), values, max_size=3))
    return json.dumps({**body, **changes}).encode()


def decoded(payload: bytes) -> dict[str, Any]:
    """Return an object in JSON; empty if `payload` is something else."""
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


messages = st.tuples(
    topics | st.none(),
    bodies() | bodies() | damaged(SAMPLES) | st.integers(0, 2).map(SIZES.__getitem__),
    st.booleans(),
)


def test_events_of_an_honest_device_are_stored(
    fuzzer: Fuzzer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    started_s = time.monotonic()

    def clock() -> float:
        return NOW_S + time.monotonic() - started_s

    engine = open_database(f"sqlite:///{tmp_path}/history.sqlite3")
    history, live, ticks = HistoryQueries(engine), LiveState(), itertools.count()
    # A clock that runs fast, so that the limits on the rate of messages are not reached.
    validator = MessageValidator("maskpatrol", ticks=lambda: float(next(ticks)))
    ingest = Ingest(validator, HistoryStore(engine), history, live, clock=clock)
    ingest.start()
    honest = itertools.count(1)

    def check(hostile: list[tuple[str | None, bytes, bool]]) -> None:
        acknowledged: list[int] = []
        event = start("door1", next(honest))
        sent = [*hostile, ("maskpatrol/door1/events", encoded(event), False)]
        for number, (topic, payload, retained) in enumerate(sent):
            if topic is None:
                ingest.receive(None)
                acknowledged.append(number)
                continue

            def acknowledge(number: int = number) -> None:
                acknowledged.append(number)

            ingest.receive(ReceivedMessage(topic, payload, retained, 1, acknowledge))
        wait_until(lambda: len(acknowledged) == len(sent), "all messages are acknowledged")
        assert sorted(acknowledged) == list(range(len(sent)))
        with engine.connect() as connection:
            stored = sa.select(alerts.c.episode).where(alerts.c.episode == event["id"])
            assert connection.execute(stored).all()
        assert history.newest_alerts(20)
        shown = live.changes_since(-1)[1]
        assert json.dumps(shown)
        assert shown["link"]["disk"] == ""
        assert [r.getMessage() for r in caplog.records if r.exc_info] == []
        assert all(record.getMessage().isprintable() for record in caplog.records)
        caplog.clear()

    try:
        fuzzer.run(check, st.lists(messages, max_size=8), [corpus()], examples=10)
    finally:
        ingest.stop()
        engine.dispose()


def corpus() -> list[tuple[str | None, bytes, bool]]:
    return [
        (f"maskpatrol/evil/{re.match('[a-z]+', file.name)[0]}", file.read_bytes(), False)  # type: ignore[index]
        for file in CORPUS
    ]
