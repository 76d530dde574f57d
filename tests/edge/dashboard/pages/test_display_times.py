"""Times and durations as the pages show them."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge.dashboard.base.local_time import local_time
from edge.dashboard.pages import display_times
from edge.dashboard.pages.display_times import (
    format_duration,
    format_time,
    midnights,
    round_times,
    time_zone,
)

BERLIN = ZoneInfo("Europe/Berlin")


def test_time_is_shown_in_the_zone() -> None:
    at_s = datetime(2026, 3, 1, 8, 15, 3, tzinfo=UTC).timestamp()
    assert format_time(at_s, UTC) == "2026-03-01 08:15:03"
    assert format_time(at_s, BERLIN) == "2026-03-01 09:15:03"
    assert format_time(None, UTC) == "—"


@pytest.mark.parametrize("at_s", [-1e18, 1e18, float("inf")])
def test_impossible_times_are_limited(at_s: float) -> None:
    assert 1970 <= local_time(at_s, UTC).year <= 9999
    assert 1970 <= local_time(at_s).year <= 9999


def test_known_zone_is_used() -> None:
    assert time_zone("Europe/Berlin") == BERLIN


@pytest.mark.parametrize("name", [None, "", "Nowhere/Here", "../../etc/passwd", "x" * 50])
def test_unknown_zone_falls_back_to_the_own_one(name: str | None) -> None:
    own = datetime.now().astimezone().utcoffset()
    assert datetime.now(time_zone(name)).utcoffset() == own


def test_own_zone_has_summer_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "zoneinfo" / "Europe").mkdir(parents=True)
    (tmp_path / "zoneinfo" / "Europe" / "Berlin").touch()
    (tmp_path / "localtime").symlink_to(tmp_path / "zoneinfo" / "Europe" / "Berlin")
    monkeypatch.delenv("TZ", raising=False)
    monkeypatch.setattr(display_times, "LOCALTIME", tmp_path / "localtime")
    assert time_zone(None) == BERLIN
    (tmp_path / "localtime").unlink()
    (tmp_path / "localtime").write_bytes(b"a copy of a zone, whose name is not known")
    assert time_zone(None).utcoffset(datetime.now()) is not None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "—"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (125.0, "2 min 5 s"),
        (3840.0, "1 h 4 min"),
        (90_000.0, "25 h 0 min"),
    ],
)
def test_duration_has_two_units(seconds: float | None, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("hours", "texts"),
    [
        (24, ["18:00", "00:00", "06:00", "12:00"]),
        (7 * 24, ["29 00:00", "31 00:00", "02 00:00", "04 00:00"]),
        (14 * 24, ["29 00:00", "01 00:00", "04 00:00", "07 00:00", "10 00:00"]),
    ],
)
def test_labels_are_at_full_hours_and_at_midnight(hours: int, texts: list[str]) -> None:
    # Daylight saving time begins on 29 March, at 02:00.
    from_s = datetime(2026, 3, 28, 12, 43, tzinfo=BERLIN).timestamp()
    times = round_times(from_s, from_s + hours * 3600.0, BERLIN, 6)
    assert [at.strftime("%H:%M" if hours <= 24 else "%d %H:%M") for at in times] == texts
    assert all(at.minute == at.second == 0 for at in times)


def test_midnights_follow_daylight_saving_time() -> None:
    start = datetime(2026, 3, 28, 12, tzinfo=BERLIN).timestamp()
    end = datetime(2026, 3, 30, 0, 30, tzinfo=BERLIN).timestamp()
    days = list(midnights(start, end, BERLIN))
    assert [(day.day, day.hour) for day in days] == [(28, 0), (29, 0), (30, 0)]
    hours = [(b.timestamp() - a.timestamp()) / 3600 for a, b in pairwise(days)]
    assert hours == [24.0, 23.0]
