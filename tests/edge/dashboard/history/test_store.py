"""The history: each event once, whatever comes twice or in another order; in both databases."""

from __future__ import annotations

import random
import re
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from edge.common.errors import UsageError, UserError
from edge.dashboard.base.messages import EventMessage
from edge.dashboard.history.database import open_database
from edge.dashboard.history.queries import AlertFilter, HistoryQueries
from edge.dashboard.history.retention import delete_expired
from edge.dashboard.history.store import HistoryStore
from edge.dashboard.history.tables import alerts, devices, events, hourly, metadata
from tests.support.dashboard_events import NOW_S, episode, message
from tests.support.postgres import Postgres

DAY = AlertFilter(NOW_S - 86_400, NOW_S + 86_400)


def visit(number: int, device: str = "door1", at_s: float = NOW_S) -> list[EventMessage]:
    of = episode(device)
    return [
        message(device, 2 * number - 1, of=of, at_s=at_s),
        message(device, 2 * number, "no_mask_end", of, at_s + 4.0),
    ]


def test_an_alert_has_a_start_and_an_end(engine: sa.Engine) -> None:
    store, history = HistoryStore(engine), HistoryQueries(engine)
    begin, over = visit(1)
    written = store.write_events([begin], NOW_S)
    assert [(a["episode"], a["ended_s"]) for a in written.alerts] == [(begin.episode, None)]
    (alert,) = store.write_events([over], NOW_S + 5).alerts
    assert (alert["started_s"], alert["ended_s"], alert["ended_by"]) == (NOW_S, NOW_S + 4, "left")
    assert [a["episode"] for a in history.alert_page(DAY, 10)] == [begin.episode]
    assert history.count_per_device(DAY, 5) == [("door1", 1)]


def test_what_comes_twice_or_in_any_order_is_there_once(engine: sa.Engine) -> None:
    store, history = HistoryStore(engine), HistoryQueries(engine)
    sent = [event for number in range(1, 21) for event in visit(number, at_s=NOW_S + number)]
    arriving = [sent[0], *random.Random(5).sample(sent * 3, 3 * len(sent))]
    for cut in range(0, len(arriving), 7):
        store.write_events(arriving[cut : cut + 7], NOW_S)
    found = history.alert_page(DAY, 100)
    assert {a["episode"] for a in found} == {e.episode for e in sent}
    assert all(a["ended_s"] == a["started_s"] + 4 for a in found)
    assert sum(count for _, _, count in history.count_per_hour(DAY)) == 20
    assert history.lost_events() == {}


def test_gaps_are_lost_events_until_they_are_filled(engine: sa.Engine) -> None:
    store, history = HistoryStore(engine), HistoryQueries(engine)
    assert store.write_events([message(seq=1), message(seq=5)], NOW_S).lost == {"door1": 3}
    (gap,) = history.gaps("", 0.0, 10)
    assert (gap["first_seq"], gap["last_seq"], gap["noticed_s"]) == (2, 4, NOW_S)
    assert store.write_events([message(seq=3)], NOW_S).lost == {"door1": 2}
    assert store.write_events([message(seq=2), message(seq=4)], NOW_S).lost == {"door1": 0}
    assert history.gaps("", 0.0, 10) == []


def test_what_comes_again_after_it_was_deleted_makes_no_losses(engine: sa.Engine) -> None:
    store = HistoryStore(engine, 30 * 86_400.0)
    old = [message(seq=n, at_s=NOW_S - 40 * 86_400.0 + n) for n in range(1, 4)]
    new = [message(seq=n, at_s=NOW_S + n) for n in range(4, 7)]
    store.write_events([*old, *new], NOW_S + 10)
    assert delete_expired(engine, NOW_S + 10, 30.0, 1000) == 3
    assert store.write_events(old[:1], NOW_S + 20).lost == {"door1": 0}
    assert store.write_events([message(seq=7)], NOW_S + 30).lost == {"door1": 0}


def test_two_dashboards_share_one_database(engine: sa.Engine) -> None:
    """Each gets half of the events, some of them both; at the same time."""
    sent = [e for d in ("a", "b", "c") for n in range(1, 41) for e in visit(n, d, NOW_S + n)]
    halves = [sent[0::2] + sent[:30], sent[1::2] + sent[:30]]
    failures: list[BaseException] = []

    def work(half: list[EventMessage]) -> None:
        try:
            store = HistoryStore(engine)
            for cut in range(0, len(half), 5):
                store.write_events(half[cut : cut + 5], NOW_S)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(half,)) for half in halves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    history = HistoryQueries(engine)
    assert len(history.alert_page(DAY, 1000)) == 120
    assert sum(count for _, _, count in history.count_per_hour(DAY)) == 120


def test_all_lock_in_one_order(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables as they stand in the metadata, devices by name: else two wait for each other."""
    monkeypatch.setattr("edge.dashboard.history.retention.MAX_DEVICES", 2)
    monkeypatch.setattr("edge.dashboard.history.retention.MAX_RETIRED", 0)
    order = [table.name for table in metadata.tables.values()]
    changed: list[list[str]] = [[]]
    locked = []

    @sa.event.listens_for(engine, "begin")
    def _(*_: object) -> None:
        changed.append([])

    @sa.event.listens_for(engine, "before_cursor_execute")
    def _(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if found := re.match(r"(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)", statement):
            changed[-1].append(found[1])
        elif statement.endswith("FOR UPDATE"):
            assert 'ORDER BY devices.device COLLATE "C"' in statement.replace("(", "")
            locked.append(statement)
            changed[-1].append("devices")

    store = HistoryStore(engine)
    for name in "cab":
        store.write_events([e for n in range(1, 30, 2) for e in visit(n, name)], NOW_S)
    store.retire_devices(["a"], NOW_S)
    store.restore_devices(["b", "a"], NOW_S)
    store.retire_devices(["c"], NOW_S)
    delete_expired(engine, NOW_S + 20 * 86_400.0, 10.0, 1)
    for transaction in changed:
        # What one has locked it may change again.
        firsts = [order.index(name) for name in dict.fromkeys(transaction)]
        assert firsts == sorted(firsts), transaction
    assert sum("devices" in transaction for transaction in changed) >= 7
    if engine.dialect.name == "postgresql":
        assert len(locked) >= 6


def test_a_device_is_not_deleted_while_its_event_is_written(postgres: Postgres) -> None:
    address = postgres.new_database()
    engine = open_database(address)
    store, other = HistoryStore(engine), open_database(address)
    store.update_last_seen({"door1": NOW_S})
    waited = []

    @sa.event.listens_for(engine, "after_cursor_execute")
    def _(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO devices"):
            with other.connect() as db:
                db.execute(sa.text("SET lock_timeout = '50ms'"))
                with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
                    db.execute(sa.delete(devices))
            waited.append(statement)

    assert store.write_events([message()], NOW_S).new == 1
    assert len(waited) == 1
    for opened in (engine, other):
        opened.dispose()


def test_pages_hold_everything_once(engine: sa.Engine) -> None:
    store, history = HistoryStore(engine), HistoryQueries(engine)
    store.write_events([message(seq=n, at_s=NOW_S + n // 3) for n in range(1, 31)], NOW_S)
    seen, mark = [], None
    while rows := history.alert_page(DAY, 7, mark):
        seen += [row["episode"] for row in rows]
        mark = (rows[-1]["started_s"], rows[-1]["episode"])
    assert len(seen) == len(set(seen)) == 30
    assert [row["episode"] for row in history.iter_alerts(DAY)] == seen


def test_filters(engine: sa.Engine) -> None:
    store, history = HistoryStore(engine), HistoryQueries(engine)
    store.write_events([*visit(1), message("door2", 1, label="incorrect_mask")], NOW_S)

    def found(**more: str) -> list[str]:
        wanted = AlertFilter(DAY.from_s, DAY.to_s, **more)
        return [row["device"] for row in history.alert_page(wanted, 10)]

    assert found(device="door1") == ["door1"]
    assert found(label="incorrect_mask") == ["door2"]
    assert found(ended_by="open") == ["door2"]
    assert found(ended_by="left") == ["door1"]
    assert found(device="door3") == []


@pytest.mark.parametrize(("from_h", "to_h"), [(0, 24), (5, 80), (30, 31), (23, 49), (0, 200)])
def test_counts_of_any_span_agree(engine: sa.Engine, from_h: int, to_h: int) -> None:
    """By hour, by device and hour, and by device and day: all tell of the same alerts."""
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
        ours = sum(e.device == device for e in inside)
        assert dict(history.count_per_device(span, 5)).get(device, 0) == ours
        only = AlertFilter(span.from_s, span.to_s, device)
        assert sum(n for _, _, n in history.count_per_hour(only)) == ours
    labelled = AlertFilter(span.from_s, span.to_s, label="no_mask")
    expected = sum(e.label == "no_mask" for e in inside)
    assert sum(n for _, n in history.count_per_device(labelled, 5)) == expected
    assert sum(n for _, _, n in history.count_per_hour(labelled)) == expected


@pytest.mark.parametrize("span_s", [600.0, 3000.0, 5000.0, 86_400.0, 200_000.0])
def test_counts_agree_with_the_table_to_the_second(engine: sa.Engine, span_s: float) -> None:
    store, history = HistoryStore(engine), HistoryQueries(engine)
    store.write_events([message("ab"[n % 2], n, at_s=NOW_S + 700.0 * n) for n in range(300)], NOW_S)
    for from_s in (NOW_S - 50.0, NOW_S + 1234.5, NOW_S // 3600 * 3600):
        for device in ("", "a"):
            span = AlertFilter(from_s, from_s + span_s, device)
            listed = len(history.alert_page(span, 1000))
            assert sum(n for _, _, n in history.count_per_hour(span)) == listed
            assert sum(n for _, n in history.count_per_device(span, 5)) == listed


def test_acknowledging_is_kept_and_the_first_time_counts(engine: sa.Engine) -> None:
    store = HistoryStore(engine)
    event = message()
    store.write_events([event], NOW_S)
    assert store.acknowledge_alerts([event.episode], NOW_S + 1)[0]["acknowledged_s"] == NOW_S + 1
    assert store.acknowledge_alerts([event.episode], NOW_S + 9)[0]["acknowledged_s"] == NOW_S + 1
    assert store.acknowledge_alerts(["nobody"], NOW_S) == []


def test_figures_and_troubles(engine: sa.Engine) -> None:
    store, history = HistoryStore(engine), HistoryQueries(engine)
    for minute in range(10):
        row = {"device": "d", "at_s": NOW_S + 60 * minute, "fps": float(minute)}
        store.add_figures([{"frame_ms": None, "temperature_c": None, "memory_mb": None,
                             "outbox_depth": None, **row}])  # fmt: skip
    rows = history.figures("d", 0.0, 300.0)
    assert [row["fps"] for row in rows] == [0.5, 4.0, 8.0]  # NOW_S is no multiple of 300
    store.add_troubles([{"device": "d", "at_s": NOW_S, "text": "<b>hot</b>"}])
    assert [t["text"] for t in history.troubles("", 5)] == ["<b>hot</b>"]
    assert history.troubles("other", 5) == []


def test_what_is_too_old_or_too_much_goes(engine: sa.Engine) -> None:
    store = HistoryStore(engine)
    old, new = NOW_S - 40 * 86_400, NOW_S
    store.write_events([e for n in range(1, 51) for e in visit(n, at_s=old + n)], NOW_S)
    store.write_events([e for n in range(51, 101) for e in visit(n, at_s=new + n)], NOW_S)
    assert delete_expired(engine, NOW_S + 200, 30.0, 1000) == 50
    assert delete_expired(engine, NOW_S + 200, 30.0, 10) == 40
    with engine.connect() as db:

        def count(table: sa.Table) -> int:
            return db.scalar(sa.select(sa.func.count()).select_from(table)) or 0

        assert (count(alerts), count(events)) == (10, 20)
        assert count(hourly) >= 1
        assert db.scalar(sa.select(sa.func.min(hourly.c.hour))) == NOW_S // 3600
        assert db.scalar(sa.select(sa.func.min(alerts.c.started_s))) == new + 91


def test_names_without_end_are_not_all_kept(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.dashboard.history.retention.MAX_DEVICES", 3)
    HistoryStore(engine).update_last_seen({f"d{n}": NOW_S + n for n in range(5)})
    delete_expired(engine, NOW_S + 9, 400.0, 1000)
    assert [name for name, _ in HistoryQueries(engine).known_devices()] == ["d0", "d1", "d2"]


def test_names_that_are_silent_give_way_to_a_new_device(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.dashboard.history.retention.MAX_DEVICES", 3)
    store, history = HistoryStore(engine), HistoryQueries(engine)

    def known() -> list[str]:
        return [name for name, _ in history.known_devices()]

    day_s = 86_400.0
    for number in range(3):
        store.update_last_seen({f"invented{number}": NOW_S + number})
    store.write_events([message("door1", 1)], NOW_S + 0.9 * day_s)
    delete_expired(engine, NOW_S + 0.9 * day_s, 400.0, 1000)  # all of them speak: the newest goes
    assert known() == ["invented0", "invented1", "invented2"]
    store.update_last_seen({"invented0": NOW_S + day_s})
    store.write_events([message("door1", 2)], NOW_S + 1.5 * day_s)
    delete_expired(engine, NOW_S + 1.5 * day_s, 400.0, 1000)  # the newest of those that do not
    assert known() == ["door1", "invented0", "invented1"]
    assert store.write_events([message("door1", 5)], NOW_S + 1.6 * day_s).lost == {"door1": 2}


def test_a_retired_device_is_known_for_longer_than_what_it_sent(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.dashboard.history.retention.MAX_RETIRED", 2)
    store, history = HistoryStore(engine), HistoryQueries(engine)
    store.update_last_seen({"a": NOW_S, "b": NOW_S})
    store.retire_devices(["a"], NOW_S + 1.0)
    store.update_last_seen({"c": NOW_S + 40 * 86_400.0})
    delete_expired(engine, NOW_S + 40 * 86_400.0, 30.0, 1000)
    assert [name for name, _ in history.known_devices()] == ["a", "c"]
    for at_s, name in enumerate(("only its retained words came", "another"), 2):
        store.retire_devices([name], NOW_S + at_s)
    delete_expired(engine, NOW_S + 40 * 86_400.0, 30.0, 1000)
    assert history.retired_devices() == {"only its retained words came", "another"}


def test_what_a_retired_device_had_lost_is_no_new_loss_when_it_comes(engine: sa.Engine) -> None:
    store = HistoryStore(engine)
    store.write_events([message("a", 1), message("a", 5)], NOW_S)
    store.retire_devices(["a"], NOW_S)
    store.restore_devices(["a"], NOW_S)
    late = [message("a", seq) for seq in (2, 3, 4)]
    assert store.write_events(late, NOW_S).lost == {"a": 0}
    assert store.write_events([message("a", 6), message("a", 8)], NOW_S).lost == {"a": 1}


def test_a_retired_device_leaves_its_alerts_and_comes_back_as_the_newest(engine: sa.Engine) -> None:
    store, history = HistoryStore(engine), HistoryQueries(engine)
    store.write_events([message("a", 1), message("a", 5), message("b", 1)], NOW_S)
    store.update_last_seen({"a": NOW_S, "b": NOW_S + 1.0})
    store.add_troubles([{"device": name, "at_s": NOW_S, "text": "hot"} for name in "ab"])
    assert history.lost_events() == {"a": 3}
    store.retire_devices(["a"], NOW_S)
    store.retire_devices(["never heard"], NOW_S)
    assert history.retired_devices() == {"a", "never heard"}
    assert history.retired_devices_with_alerts() == ["a"]
    assert [name for name, _ in history.listed_devices()] == ["b"]
    assert history.lost_events() == {}
    assert [t["device"] for t in history.troubles("", 9)] == ["b"]
    assert len(history.alert_page(AlertFilter(0.0, NOW_S + 1.0, "a"), 9)) == 2
    store.restore_devices(["a", "nobody"], NOW_S + 9.0)
    assert [name for name, _ in history.listed_devices()] == ["b", "a"]
    # What it sent meanwhile and did not come here is missing all the same.
    assert store.write_events([message("a", 8)], NOW_S).lost == {"a": 2}


def test_a_clock_that_is_far_ahead_takes_no_history_with_it(engine: sa.Engine) -> None:
    sent = [message(seq=n, at_s=NOW_S - 3600.0 * n) for n in range(1, 50)]
    HistoryStore(engine).write_events(sent, NOW_S)
    assert delete_expired(engine, NOW_S + 500 * 86_400, 400.0, 1000) == 0


@pytest.mark.parametrize(
    ("address", "error", "words"),
    [
        ("no address", UsageError, "is not a database URL"),
        ("mysql://x/y", UsageError, "must be sqlite or postgresql"),
        ("sqlite://", UsageError, "needs the path of a file"),
        ("sqlite:////nowhere/at/all.sqlite3", UserError, "cannot use the database"),
        ("postgresql://u:hush@127.0.0.1:1/x", UserError, "cannot use the database"),
    ],
)
def test_a_wrong_address_is_told(address: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as found:
        open_database(address)
    assert "hush" not in str(found.value)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"nonsense" * 200)
    with pytest.raises(UserError, match="not a database"):
        open_database(f"sqlite:///{tmp_path}/x")
