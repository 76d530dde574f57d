"""Hours of the day and days of the week, in the local time of this machine."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from edge.config.toml_schema import Section, text_rule

#: Hours and minutes of the local time, or empty.
TimeOfDay = Annotated[
    str,
    text_rule(
        r"^(([01][0-9]|2[0-3]):[0-5][0-9])?\Z",
        'a time of day from 00:00 to 23:59, such as "06:30"',
    ),
]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)


class Hours(Section, frozen=True, kw_only=True):
    """The hours of the week in which something holds; always, without values.

    A period from a later to an earlier time, such as 22:00 to 06:00, lasts over midnight, and
    belongs to the day on which it starts.
    """

    start: TimeOfDay = ""
    end: TimeOfDay = ""
    days: tuple[Day, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError if only one of the times is set, or both are the same."""
        require_period(self.start, self.end)

    def include(self, day: int, minute: int) -> bool:
        """Return whether `minute`, counted from midnight, of `day` (0: Monday) is included."""
        if not self.start:
            return self._has_day(day)
        start, end = minute_of(self.start), minute_of(self.end)
        if start < end:
            return start <= minute < end and self._has_day(day)
        return (minute >= start and self._has_day(day)) or (
            minute < end and self._has_day((day - 1) % len(DAYS))
        )

    def _has_day(self, day: int) -> bool:
        return not self.days or DAYS[day] in self.days


def require_period(start: str, end: str) -> None:
    """Raise ValueError unless `start` and `end` are two different times, or both are empty."""
    if bool(start) is not bool(end) or (start and start == end):
        raise ValueError("`start` and `end` must be two different times, or both empty")


def minute_of(time_of_day: str) -> int:
    """Return the minutes from midnight to a `TimeOfDay` that is not empty."""
    hours, _, minutes = time_of_day.partition(":")
    return 60 * int(hours) + int(minutes)
