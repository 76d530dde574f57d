"""Writing the history: each event is stored once, even if events are repeated or out of order."""

from __future__ import annotations

import random
import threading

import sqlalchemy as sa

from edge.dashboard.base.messages import EventMessage
from edge.dashboard.history.queries import AlertFilter, HistoryQueries
from edge.dashboard.history.store import HistoryStore
from edge.dashboard.history.tables import dashboards
from tests.support.dashboard.events import NOW_S, message, visit

DAY = AlertFilter(NOW_S - 86_400, NOW_S + 86_400)


def test_alert_has_a_start_and_an_end(engine: sa.Engine) -> None:
    store, history = HistoryStore(engine), HistoryQueries(engine)
    start, end = visit(1)
    result = store.write_events([start], NOW_S)
    assert [(a["episode"], a["ended_s"]) for a in result.alerts] == [(start.episode, None)]
    (alert,) = store.write_events([end], NOW_S + 5).alerts
    assert (alert["started_s"], alert["ended_s"], alert["ended_by"]) == (NOW_S, NOW_S + 4, "left")
    assert [a["episode"] for a in history.alert_page(DAY, 10)] == [start.episode]
    assert history.count_per_device(DAY, 5) == [("door1", {"no_mask": 1})]


def test_repeated_and_unordered_events_are_written_once(engine: sa.Engine) -> None:
    store, history = HistoryStore(engine), HistoryQueries(engine)
    sent = [event for number in range(1, 21) for event in visit(number, at_s=NOW_S + number)]
    arriving = [sent[0], *random.Random(5).sample(sent * 3, 3 * len(sent))]
    for start in range(0, len(arriving), 7):
        store.write_events(arriving[start : start + 7], NOW_S)
    found = history.alert_page(DAY, 100)
    assert {a["episode"] for a in found} == {e.episode for e in sent}
    assert all(a["ended_s"] == a["started_s"] + 4 for a in found)
    assert sum(count for _, _, count in history.count_per_hour(DAY)) == 20
    assert history.lost_events() == {}


def test_gaps_are_lost_events_until_filled(engine: sa.Engine) -> None:
    store, history = HistoryStore(engine), HistoryQueries(engine)
    assert store.write_events([message(seq=1), message(seq=5)], NOW_S).lost == {"door1": 3}
    (gap,) = history.gaps("", 0.0, 10)
    assert (gap["first_seq"], gap["last_seq"], gap["noticed_s"]) == (2, 4, NOW_S)
    assert store.write_events([message(seq=3)], NOW_S).lost == {"door1": 2}
    assert store.write_events([message(seq=2), message(seq=4)], NOW_S).lost == {"door1": 0}
    assert history.gaps("", 0.0, 10) == []


def test_two_dashboards_write_to_one_database(engine: sa.Engine) -> None:
    """Two stores write at once: each writes half of the events, and both write the first 30."""
    sent = [e for d in ("a", "b", "c") for n in range(1, 41) for e in visit(n, d, NOW_S + n)]
    halves = [sent[0::2] + sent[:30], sent[1::2] + sent[:30]]
    failures: list[BaseException] = []

    def write(half: list[EventMessage]) -> None:
        try:
            store = HistoryStore(engine)
            for start in range(0, len(half), 5):
                store.write_events(half[start : start + 5], NOW_S)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(half,)) for half in halves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    history = HistoryQueries(engine)
    assert len(history.alert_page(DAY, 1000)) == 120
    assert sum(count for _, _, count in history.count_per_hour(DAY)) == 120


def test_first_acknowledgement_counts(engine: sa.Engine) -> None:
    store = HistoryStore(engine)
    event = message()
    store.write_events([event], NOW_S)
    assert store.acknowledge_alerts([event.episode], NOW_S + 1)[0]["acknowledged_s"] == NOW_S + 1
    assert store.acknowledge_alerts([event.episode], NOW_S + 9)[0]["acknowledged_s"] == NOW_S + 1
    assert store.acknowledge_alerts(["nobody"], NOW_S) == []


def test_acknowledgement_is_taken_back_by_its_time(engine: sa.Engine) -> None:
    store, history = HistoryStore(engine), HistoryQueries(engine)
    own, other, later = [message(seq=number, at_s=NOW_S + number) for number in (1, 2, 3)]
    store.write_events([own, other, later], NOW_S)
    store.acknowledge_alerts([other.episode], NOW_S + 1, "Berta")
    episodes = [own.episode, other.episode]
    rows = store.acknowledge_alerts(episodes, NOW_S + 2.125, "Anna")
    assert {row["acknowledged_by"] for row in rows} == {"Anna", "Berta"}
    store.set_note([*episodes, later.episode], "was told")
    rows = store.undo_acknowledgement(episodes, NOW_S + 2.125)
    found = {row["episode"]: (row["acknowledged_by"], row["note"]) for row in rows}
    assert found == {own.episode: (None, None), other.episode: ("Berta", "was told")}
    # Only acknowledged alerts have a note; other dashboards read each change.
    (row,) = history.alert_page(DAY, 1)
    assert (row["episode"], row["note"]) == (later.episode, None)
    assert len(history.recently_updated_alerts(60.0, 10)) == 3
    assert store.set_note([other.episode], "")[0]["note"] is None


def test_figures_are_added_once(engine: sa.Engine) -> None:
    store, history = HistoryStore(engine), HistoryQueries(engine)
    row = {
        "device": "d", "at_s": NOW_S, "fps": 9.5, "frame_ms": None, "temperature_c": None,
        "memory_mb": None, "outbox_depth": None,
    }  # fmt: skip
    store.add_figures([row])
    store.add_figures([{**row, "fps": 1.0}])
    store.add_figures([])
    assert [found["fps"] for found in history.figures("d", 0.0, 60.0)] == [9.5]


def test_late_events_of_a_retired_device_are_no_loss(engine: sa.Engine) -> None:
    store = HistoryStore(engine)
    store.write_events([message("a", 1), message("a", 5)], NOW_S)
    store.retire_devices(["a"], NOW_S)
    store.restore_devices(["a"], NOW_S)
    late = [message("a", seq) for seq in (2, 3, 4)]
    assert store.write_events(late, NOW_S).lost == {"a": 0}
    assert store.write_events([message("a", 6), message("a", 8)], NOW_S).lost == {"a": 1}


def test_retired_device_keeps_only_its_alerts(engine: sa.Engine) -> None:
    store, history = HistoryStore(engine), HistoryQueries(engine)
    store.write_events([message("a", 1), message("a", 5), message("b", 1)], NOW_S)
    store.update_last_seen({"a": NOW_S, "b": NOW_S + 1.0})
    store.add_problems([{"device": name, "at_s": NOW_S, "text": "hot"} for name in "ab"])
    assert history.lost_events() == {"a": 3}
    store.retire_devices(["a"], NOW_S)
    store.retire_devices(["never heard"], NOW_S)
    assert history.retired_devices() == {"a", "never heard"}
    assert history.retired_devices_with_alerts() == ["a"]
    assert [name for name, _ in history.listed_devices()] == ["b"]
    assert history.lost_events() == {}
    assert [t["device"] for t in history.problems("", 9)] == ["b"]
    assert len(history.alert_page(AlertFilter(0.0, NOW_S + 1.0, "a"), 9)) == 2


def test_restored_device_is_listed_last(engine: sa.Engine) -> None:
    store, history = HistoryStore(engine), HistoryQueries(engine)
    store.write_events([message("a", 1), message("a", 5), message("b", 1)], NOW_S)
    store.retire_devices(["a"], NOW_S)
    store.restore_devices(["a", "nobody"], NOW_S + 9.0)
    assert [name for name, _ in history.listed_devices()] == ["b", "a"]
    # The device sent the events 6 and 7 while it was retired; they count as lost.
    assert store.write_events([message("a", 8)], NOW_S).lost == {"a": 2}


def test_other_running_dashboards_are_counted(engine: sa.Engine) -> None:
    store = HistoryStore(engine)
    store.update_heartbeat("one")
    assert store.count_other_dashboards("one", 1800.0) == 0
    store.update_heartbeat("two")
    assert store.count_other_dashboards("one", 1800.0) == 1
    for by_s in (-3600.0, 2 * 3600.0):  # the second time is ahead: the clock was set back since
        with engine.begin() as db:
            db.execute(sa.update(dashboards).values(seen_s=dashboards.c.seen_s + by_s))
        assert store.count_other_dashboards("one", 1800.0) == 0
    store.update_heartbeat("two")
    assert store.count_other_dashboards("one", 1800.0) == 1
