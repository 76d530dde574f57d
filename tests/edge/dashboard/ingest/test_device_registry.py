"""Which devices are listed, also after evictions, after forgetting devices, and after a restart."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import sqlalchemy as sa

from edge.dashboard.base.device_slots import MAX_SLOTS, SILENT_AFTER_S
from edge.dashboard.base.messages import EventMessage
from edge.dashboard.history.queries import HistoryQueries
from edge.dashboard.history.store import HistoryStore
from edge.dashboard.ingest.broker_connection import ReceivedMessage
from edge.dashboard.ingest.device_registry import REPORT_EVICTION_S, DeviceRegistry
from edge.dashboard.ingest.validation import MessageValidator
from edge.dashboard.live.live_state import LiveState
from tests.support.dashboard.events import NOW_S, encoded, start

STATE = {"no_mask": False, "people": 0}


class Harness:
    """A registry with its parts, and a monotonic clock that the test sets."""

    def __init__(self, engine: sa.Engine) -> None:
        self.ticks_s = 5.0
        self.validator = MessageValidator("maskpatrol", ticks=lambda: self.ticks_s)
        self.store, self.history = HistoryStore(engine), HistoryQueries(engine)
        self.live = LiveState()
        self.registry = DeviceRegistry(
            self.validator, self.store, self.history, self.live, lambda: self.ticks_s
        )

    def receive(
        self, device: str, leaf: str = "state", body: Any = STATE, retained: bool = False
    ) -> tuple[EventMessage | None, list[tuple[str, str]]]:
        payload = body if isinstance(body, bytes) else encoded(body)
        topic = f"maskpatrol/{device}/{leaf}"
        received = ReceivedMessage(topic, payload, retained, 1, lambda: None)
        return self.registry.receive(received, NOW_S)

    @property
    def listed(self) -> list[str]:
        return [device.name for device in self.live.devices()]


@pytest.fixture
def harness(engine: sa.Engine) -> Harness:
    return Harness(engine)


def test_first_valid_message_lists_a_device(harness: Harness) -> None:
    assert harness.receive("door1", body=b"nonsense") == (None, [])
    assert harness.listed == []
    assert harness.receive("door1") == (None, [])
    assert harness.listed == ["door1"]


def test_event_is_returned_and_lists_its_device(harness: Harness) -> None:
    event, problems = harness.receive("door1", "events", start("door1", 7))
    assert event is not None
    assert (event.seq, problems, harness.listed) == (7, [], ["door1"])


def test_new_problems_are_returned(harness: Harness) -> None:
    assert harness.receive("door1", "health", {"warnings": ["hot"]}) == (None, [("door1", "hot")])
    assert harness.receive("door1", "health", {"warnings": ["hot"]}) == (None, [])


def test_retained_message_does_not_list_a_forgotten_device(harness: Harness) -> None:
    for name in ("door1", "door2"):
        harness.receive(name)
    harness.registry.forget(("door1",), NOW_S)
    harness.receive("door1", "status", b"offline", retained=True)
    assert harness.listed == ["door2"]


def test_forgotten_device_stays_so_after_restart(harness: Harness, engine: sa.Engine) -> None:
    harness.receive("door1")
    harness.registry.forget(("door1",), NOW_S)
    restarted = Harness(engine)
    restarted.registry.load(NOW_S)
    restarted.receive("door1", "status", b"offline", retained=True)
    assert restarted.listed == []


def test_live_message_lists_a_forgotten_device_again(harness: Harness) -> None:
    harness.receive("door1")
    harness.registry.forget(("door1",), NOW_S)
    harness.receive("door1")
    assert harness.listed == ["door1"]
    assert harness.history.retired_devices() == {"door1"}
    harness.registry.write_returned(NOW_S)
    assert harness.history.retired_devices() == set()


def test_other_dashboards_take_over_what_is_forgotten(engine: sa.Engine) -> None:
    one, two = Harness(engine), Harness(engine)
    for each in (one, two):
        each.receive("door1")
    one.registry.forget(("door1",), NOW_S)
    two.registry.read_retired()
    two.receive("door1", "status", b"offline", retained=True)
    assert two.listed == []
    two.receive("door1")
    two.registry.write_returned(NOW_S)
    one.registry.read_retired()
    one.receive("door1")
    assert (one.listed, two.listed) == (["door1"], ["door1"])


@pytest.mark.slow
def test_device_returns_while_retired_devices_are_read(engine: sa.Engine) -> None:
    harness = Harness(engine)
    harness.registry.forget(("door1",), NOW_S)

    class Interrupting(set[str]):
        """Lets another thread read the retired devices in the middle of `receive`."""

        def discard(self, name: str) -> None:
            super().discard(name)
            self.reader = threading.Thread(target=harness.registry.read_retired)
            self.reader.start()
            self.reader.join(0.5)

    retired = harness.registry._retired = Interrupting(harness.registry._retired)
    harness.receive("door1")
    retired.reader.join(20)
    assert harness.listed == ["door1"]
    assert harness.validator._slots.touch("door1", harness.ticks_s) is not None


def test_eviction_is_reported_for_a_while(harness: Harness) -> None:
    harness.receive("door1")
    assert harness.registry.warning == ""
    for number in range(MAX_SLOTS + 300):
        harness.receive(f"d{number}")
    assert len(harness.listed) == MAX_SLOTS
    assert "door1" in harness.listed
    assert "publishes invented names" in harness.registry.warning
    harness.ticks_s += REPORT_EVICTION_S + 1.0
    assert harness.registry.warning == ""


def test_ignored_retained_message_evicts_nobody(harness: Harness) -> None:
    harness.registry.forget(("old",), NOW_S)
    for number in range(MAX_SLOTS):
        harness.receive(f"d{number}")
    listed = harness.listed
    harness.receive("old", "status", b"offline", retained=True)
    assert harness.listed == listed
    assert len(listed) == MAX_SLOTS
    assert harness.validator.refused == {}


def test_restart_does_not_count_as_a_message(engine: sa.Engine) -> None:
    seen_s = {f"d{number}": NOW_S - 60.0 for number in range(MAX_SLOTS)}
    seen_s["d5"] = NOW_S - 2 * SILENT_AFTER_S  # d5 is one of the oldest devices, but is silent
    HistoryStore(engine).update_last_seen(seen_s)
    harness = Harness(engine)
    harness.registry.load(NOW_S)
    assert len(harness.listed) == MAX_SLOTS
    harness.receive("door1")
    assert set(harness.listed) == {*seen_s, "door1"} - {"d5"}
