"""Reading the history: pages, filters, and counts that agree with the alerts."""

from __future__ import annotations

from collections import Counter

import pytest
import sqlalchemy as sa

from edge.dashboard.history.queries import AlertFilter, HistoryQueries
from edge.dashboard.history.store import HistoryStore
from edge.dashboard.history.tables import alerts
from tests.support.dashboard.events import NOW_S, message, visit

DAY = AlertFilter(NOW_S - 86_400, NOW_S + 86_400)


@pytest.mark.slow
def test_newest_alerts_include_open_ones(engine: sa.Engine) -> None:
    store, history = HistoryStore(engine), HistoryQueries(engine)
    still_open = message("door2", 1, at_s=NOW_S - 100.0)
    store.write_events([still_open, *(e for n in range(1, 6) for e in visit(n))], NOW_S)
    found = history.newest_alerts(2)
    assert len(found) == 3
    assert found[-1]["episode"] == still_open.episode


def test_recently_updated_alerts_are_found(engine: sa.Engine) -> None:
    """The time that this dashboard gives does not matter: its clock may differ from others'."""
    store, history = HistoryStore(engine), HistoryQueries(engine)
    old, new, ahead = message("door1", 1), message("door2", 1), message("door3", 1)
    store.write_events([old, new, ahead], NOW_S)

    def updated(count: int = 9) -> list[str]:
        return [row["episode"] for row in history.recently_updated_alerts(1800.0, count)]

    def shift(episode: str, by_s: float) -> None:
        change = sa.update(alerts).values(updated_s=alerts.c.updated_s + by_s)
        with engine.begin() as db:
            db.execute(change.where(alerts.c.episode == episode))

    assert sorted(updated()) == sorted([old.episode, new.episode, ahead.episode])
    shift(old.episode, -3600.0)
    shift(ahead.episode, 3600.0)  # the database's clock was set back after the change
    assert updated() == [new.episode, ahead.episode]
    assert updated(1) == [new.episode]
    store.acknowledge_alerts([old.episode], NOW_S)
    assert updated() == [old.episode, new.episode, ahead.episode]


def test_pages_contain_each_alert_once(engine: sa.Engine) -> None:
    store, history = HistoryStore(engine), HistoryQueries(engine)
    store.write_events([message(seq=n, at_s=NOW_S + n // 3) for n in range(1, 31)], NOW_S)
    seen, cursor = [], None
    while rows := history.alert_page(DAY, 7, cursor):
        seen += [row["episode"] for row in rows]
        cursor = (rows[-1]["started_s"], rows[-1]["episode"])
    assert len(seen) == len(set(seen)) == 30
    assert [row["episode"] for row in history.iter_alerts(DAY)] == seen


def test_export_is_read_in_chunks(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.dashboard.history.queries.EXPORT_CHUNK_ROWS", 4)
    HistoryStore(engine).write_events([message(seq=n, at_s=NOW_S) for n in range(1, 11)], NOW_S)
    found = [row["episode"] for row in HistoryQueries(engine).iter_alerts(DAY)]
    assert len(found) == len(set(found)) == 10


@pytest.mark.slow
@pytest.mark.parametrize(
    ("conditions", "devices"),
    [
        ({"device": "door1"}, ["door1"]),
        ({"label": "incorrect_mask"}, ["door2"]),
        ({"ended_by": "open"}, ["door2"]),
        ({"ended_by": "left"}, ["door1"]),
        ({"device": "door3"}, []),
    ],
)
def test_filter_selects_alerts(
    engine: sa.Engine, conditions: dict[str, str], devices: list[str]
) -> None:
    store, history = HistoryStore(engine), HistoryQueries(engine)
    store.write_events([*visit(1), message("door2", 1, label="incorrect_mask")], NOW_S)
    wanted = AlertFilter(DAY.from_s, DAY.to_s, **conditions)
    assert [row["device"] for row in history.alert_page(wanted, 10)] == devices


@pytest.mark.slow
@pytest.mark.parametrize(("from_h", "to_h"), [(0, 24), (5, 80), (30, 31), (23, 49), (0, 200)])
def test_counts_agree_for_any_span(engine: sa.Engine, from_h: int, to_h: int) -> None:
    """The counts per hour, per device, and per hour of one device count the same alerts."""
    store, history = HistoryStore(engine), HistoryQueries(engine)
    day_s = NOW_S // 86_400 * 86_400
    sent = [
        message("ab"[n % 2], n, at_s=day_s + 3600.0 * (n * 7 % 120) + 1800, label=label)
        for n, label in zip(range(1, 61), ["no_mask", "incorrect_mask"] * 30, strict=True)
    ]
    store.write_events(sent, NOW_S)
    span = AlertFilter(day_s + 3600.0 * from_h, day_s + 3600.0 * to_h)
    inside = [e for e in sent if span.from_s <= e.at_s < span.to_s]
    assert sum(n for _, _, n in history.count_per_hour(span)) == len(inside)
    for device in ("a", "b"):
        of_device = [e.label for e in inside if e.device == device]
        assert dict(history.count_per_device(span, 5)).get(device, {}) == Counter(of_device)
        alone = AlertFilter(span.from_s, span.to_s, device)
        assert sum(n for _, _, n in history.count_per_hour(alone)) == len(of_device)
    labelled = AlertFilter(span.from_s, span.to_s, label="no_mask")
    expected = sum(e.label == "no_mask" for e in inside)
    per_device = history.count_per_device(labelled, 5)
    assert sum(n["no_mask"] for _, n in per_device) == expected
    assert all(set(n) == {"no_mask"} for _, n in per_device)
    assert sum(n for _, _, n in history.count_per_hour(labelled)) == expected


@pytest.mark.slow
@pytest.mark.parametrize("span_s", [600.0, 3000.0, 5000.0, 86_400.0, 200_000.0])
def test_counts_agree_with_the_alerts_to_the_second(engine: sa.Engine, span_s: float) -> None:
    store, history = HistoryStore(engine), HistoryQueries(engine)
    store.write_events([message("ab"[n % 2], n, at_s=NOW_S + 700.0 * n) for n in range(300)], NOW_S)
    for from_s in (NOW_S - 50.0, NOW_S + 1234.5, NOW_S // 3600 * 3600):
        for device in ("", "a"):
            span = AlertFilter(from_s, from_s + span_s, device)
            listed = len(history.alert_page(span, 1000))
            assert sum(n for _, _, n in history.count_per_hour(span)) == listed
            per_device = history.count_per_device(span, 5)
            assert sum(n.total() for _, n in per_device) == listed


@pytest.mark.slow
def test_alerts_are_counted_in_spans(engine: sa.Engine) -> None:
    store, history = HistoryStore(engine), HistoryQueries(engine)
    store.write_events([message(seq=n, at_s=NOW_S + 10.0 * n) for n in range(1, 7)], NOW_S)
    spans = [(NOW_S + 10.0, NOW_S + 30.0), (NOW_S + 60.0, NOW_S + 90.0), (0.0, 1.0)]
    assert history.count_per_span(DAY, spans) == {
        (NOW_S + 10.0, "no_mask"): 2,
        (NOW_S + 60.0, "no_mask"): 1,
    }


def test_figures_are_averaged(engine: sa.Engine) -> None:
    store, history = HistoryStore(engine), HistoryQueries(engine)
    missing = dict.fromkeys(("frame_ms", "temperature_c", "memory_mb", "outbox_depth"))
    for minute in range(10):
        at_s = NOW_S + 60 * minute
        store.add_figures([{"device": "d", "at_s": at_s, "fps": float(minute), **missing}])
    rows = history.figures("d", 0.0, 300.0)
    assert [row["fps"] for row in rows] == [0.5, 4.0, 8.0]  # NOW_S is no multiple of 300


def test_problems_of_one_device_or_all(engine: sa.Engine) -> None:
    store, history = HistoryStore(engine), HistoryQueries(engine)
    store.add_problems([{"device": "d", "at_s": NOW_S, "text": "<b>hot</b>"}])
    assert [t["text"] for t in history.problems("", 5)] == ["<b>hot</b>"]
    assert history.problems("other", 5) == []


def test_listed_devices_are_ordered_by_first_sight(engine: sa.Engine) -> None:
    store, history = HistoryStore(engine), HistoryQueries(engine)
    store.update_last_seen({"z": NOW_S})
    store.update_last_seen({"a": NOW_S + 1.0})
    assert history.listed_devices() == [("z", NOW_S), ("a", NOW_S + 1.0)]
