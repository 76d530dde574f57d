from __future__ import annotations

import msgspec
import pytest

from edge.config.hours import Hours

MON, TUE, SAT, SUN = 0, 1, 5, 6
EIGHT, NOON, TEN_PM = 8 * 60, 12 * 60, 22 * 60


@pytest.mark.parametrize(
    ("hours", "inside", "outside"),
    [
        ({}, [(MON, 0), (SUN, 1439)], []),
        ({"start": "08:00", "end": "22:00"}, [(MON, EIGHT)], [(MON, EIGHT - 1), (MON, TEN_PM)]),
        ({"days": ["mon"]}, [(MON, 0), (MON, 1439)], [(TUE, 0), (SUN, NOON)]),
        # A period over midnight belongs to the day on which it starts.
        (
            {"start": "22:00", "end": "08:00", "days": ["sun"]},
            [(SUN, TEN_PM), (MON, 0), (MON, EIGHT - 1)],
            [(SUN, 0), (SUN, EIGHT), (MON, TEN_PM), (MON, EIGHT)],
        ),
    ],
)
def test_hours_include_their_minutes(
    hours: dict[str, object], inside: list[tuple[int, int]], outside: list[tuple[int, int]]
) -> None:
    parsed = msgspec.convert(hours, Hours)
    assert [at for at in inside + outside if parsed.include(*at)] == inside


@pytest.mark.parametrize("given", [{"start": "08:00"}, {"start": "08:00", "end": "08:00"}])
def test_half_a_period_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError, match="two different times"):
        msgspec.convert(given, Hours)
