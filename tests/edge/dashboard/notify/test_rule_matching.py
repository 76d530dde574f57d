from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from edge.config.hours import Hours
from edge.config.notify_rule import NotifyRule
from edge.dashboard.notify.rule_matching import matches_alert, matches_fault
from tests.support.dashboard.events import message


@pytest.fixture(autouse=True)
def berlin() -> Iterator[None]:
    """The dashboard's machine is in Berlin, two hours ahead of UTC in summer."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
    time.tzset()


def matches(
    device: str = "door1", at: str = "2026-07-01T12:00", age_s: float = 0.0, **rule: Any
) -> bool:
    at_s = datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()
    label = rule.pop("label", "no_mask")
    return matches_alert(
        NotifyRule(name="guard", **rule), message(device, at_s=at_s, label=label), age_s
    )


def test_rule_without_conditions_matches_alerts_only() -> None:
    assert matches()
    assert not matches(about=("device_offline",))
    assert not matches_fault(NotifyRule(name="guard"), "device_offline", "door1")
    assert matches_fault(NotifyRule(name="a", about=("events_lost",)), "events_lost", "d")


def test_doors_are_names_or_patterns() -> None:
    assert matches("hall-2", doors=("door1", "hall-*"))
    assert not matches("hallway", doors=("door1", "hall-*"))
    assert not matches("Door1", doors=("door1",))


def test_labels_are_compared() -> None:
    assert matches(labels=("no_mask",))
    assert not matches(labels=("no_mask",), label="incorrect_mask")


def test_hours_are_those_of_the_machine() -> None:
    hours = Hours(start="22:00", end="06:00", days=("wed",))
    assert matches(at="2026-07-01T20:00", hours=hours)  # Wednesday, 22:00 in Berlin
    assert matches(at="2026-07-02T03:59", hours=hours)  # the night belongs to Wednesday
    assert not matches(at="2026-07-02T04:00", hours=hours)
    assert not matches(at="2026-07-01T03:59", hours=hours)  # the night of Tuesday


@pytest.mark.parametrize("at_s", [-1.0, 253_402_300_799.0])
def test_impossible_time_has_hours(at_s: float) -> None:
    """It would otherwise prevent the notifications of all alerts that arrive with it."""
    assert matches_alert(NotifyRule(name="guard"), message("door1", at_s=at_s), 0.0)


def test_alert_that_arrives_too_late_does_not_match() -> None:
    assert matches(age_s=599.0, max_age_min=10.0)
    assert not matches(age_s=600.0, max_age_min=10.0)
