"""Which rules apply to an alert, or to a fault of a device."""

from __future__ import annotations

from fnmatch import fnmatchcase

from edge.config.hours import Hours
from edge.config.notify_rule import NotifyRule, Topic
from edge.dashboard.base.local_time import local_time
from edge.dashboard.base.messages import EventMessage


def matches_alert(rule: NotifyRule, start: EventMessage, age_s: float) -> bool:
    """Return whether `rule` applies to the alert that the event `start` begins.

    `age_s` is how long ago that was, in seconds: an alert that has exceeded the age limit of the
    rule when it arrives causes no notification.
    """
    return (
        "alert" in rule.about
        and (not rule.labels or start.label in rule.labels)
        and age_s < 60.0 * rule.max_age_min
        and _is_at_door(rule, start.device)
        and is_within(rule.hours, start.at_s)
    )


def matches_fault(rule: NotifyRule, topic: Topic, device: str) -> bool:
    """Return whether `rule` applies to a fault of `device`; it is reported in the rule's hours."""
    return topic in rule.about and _is_at_door(rule, device)


def is_within(hours: Hours, at_s: float) -> bool:
    """Return whether `hours` include `at_s` (seconds since the epoch) in the local time zone."""
    local = local_time(at_s)
    return hours.include(local.weekday(), 60 * local.hour + local.minute)


def _is_at_door(rule: NotifyRule, device: str) -> bool:
    return not rule.doors or any(fnmatchcase(device, door) for door in rule.doors)
