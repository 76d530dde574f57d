"""Deletion of old and surplus rows, and of no other rows."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from edge.dashboard.history.database import open_database
from edge.dashboard.history.queries import HistoryQueries
from edge.dashboard.history.retention import (
    FIGURES_DAYS,
    SESSION_DAYS,
    RetentionJob,
    delete_expired,
)
from edge.dashboard.history.store import HistoryStore
from edge.dashboard.history.tables import alerts, devices, events, hourly, metadata
from tests.support.dashboard.events import NOW_S, message, visit

DAY_S = 86_400.0


def count(engine: sa.Engine, table: sa.Table) -> int:
    with engine.connect() as db:
        return db.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def known_devices(engine: sa.Engine) -> list[str]:
    with engine.connect() as db:
        return list(db.scalars(sa.select(devices.c.device).order_by(devices.c.device)))


def test_old_and_surplus_alerts_are_deleted(engine: sa.Engine) -> None:
    store = HistoryStore(engine)
    old_s, new_s = NOW_S - 40 * DAY_S, NOW_S
    store.write_events([e for n in range(1, 51) for e in visit(n, at_s=old_s + n)], NOW_S)
    store.write_events([e for n in range(51, 101) for e in visit(n, at_s=new_s + n)], NOW_S)
    assert delete_expired(engine, NOW_S + 200, 30.0, 1000) == 50
    assert delete_expired(engine, NOW_S + 200, 30.0, 10) == 40
    assert (count(engine, alerts), count(engine, events)) == (10, 20)
    with engine.connect() as db:
        assert db.scalar(sa.select(sa.func.min(hourly.c.hour))) == NOW_S // 3600
        assert db.scalar(sa.select(sa.func.min(alerts.c.started_s))) == new_s + 91


def test_alerts_are_deleted_in_chunks(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.dashboard.history.retention.CHUNK_ALERTS", 4)
    store = HistoryStore(engine)
    store.write_events([message(seq=n, at_s=NOW_S + n) for n in range(1, 21)], NOW_S)
    stop_after = iter([False, False, True])
    assert delete_expired(engine, NOW_S, 400.0, 0, lambda: next(stop_after)) == 8
    assert delete_expired(engine, NOW_S, 400.0, 2) == 10
    assert count(engine, alerts) == 2


def test_clock_far_ahead_deletes_no_history(engine: sa.Engine) -> None:
    sent = [message(seq=n, at_s=NOW_S - 3600.0 * n) for n in range(1, 50)]
    HistoryStore(engine).write_events(sent, NOW_S)
    assert delete_expired(engine, NOW_S + 500 * DAY_S, 400.0, 1000) == 0


def test_deleted_event_that_returns_is_no_loss(engine: sa.Engine) -> None:
    store = HistoryStore(engine, 30 * DAY_S)
    old = [message(seq=n, at_s=NOW_S - 40 * DAY_S + n) for n in range(1, 4)]
    new = [message(seq=n, at_s=NOW_S + n) for n in range(4, 7)]
    store.write_events([*old, *new], NOW_S + 10)
    assert delete_expired(engine, NOW_S + 10, 30.0, 1000) == 3
    assert store.write_events(old[:1], NOW_S + 20).lost == {"door1": 0}
    assert store.write_events([message(seq=7)], NOW_S + 30).lost == {"door1": 0}


def test_old_figures_problems_and_sessions_are_deleted(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.dashboard.history.retention.MAX_PROBLEMS_KEPT", 2)
    store, history = HistoryStore(engine), HistoryQueries(engine)
    figure = dict.fromkeys(("frame_ms", "temperature_c", "memory_mb", "outbox_depth"))
    for at_s in (NOW_S - (FIGURES_DAYS + 1) * DAY_S, NOW_S):
        store.add_figures([{"device": "d", "at_s": at_s, "fps": 1.0, **figure}])
    for number in range(4):
        store.add_problems([{"device": "d", "at_s": NOW_S, "text": str(number)}])
    sessions = metadata.tables["sessions"]
    with engine.begin() as db:
        for token, used_s in (("old", NOW_S - (SESSION_DAYS + 1) * DAY_S), ("new", NOW_S)):
            row = {"token_sha256": token, "password_tag": "", "created_s": 0.0, "used_s": used_s}
            db.execute(sa.insert(sessions), row)
    delete_expired(engine, NOW_S, 400.0, 1000)
    assert len(history.figures("d", 0.0, 60.0)) == 1
    assert [problem["text"] for problem in history.problems("", 9)] == ["3", "2"]
    with engine.connect() as db:
        assert list(db.scalars(sa.select(sessions.c.token_sha256))) == ["new"]


def test_surplus_device_names_are_deleted(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.dashboard.history.retention.MAX_DEVICES", 3)
    HistoryStore(engine).update_last_seen({f"d{n}": NOW_S + n for n in range(5)})
    delete_expired(engine, NOW_S + 9, 400.0, 1000)
    assert known_devices(engine) == ["d0", "d1", "d2"]


def test_silent_names_are_deleted_before_active_ones(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.dashboard.history.retention.MAX_DEVICES", 3)
    store = HistoryStore(engine)
    for number in range(3):
        store.update_last_seen({f"invented{number}": NOW_S + number})
    store.write_events([message("door1", 1)], NOW_S + 0.9 * DAY_S)
    # No device is silent, so the newest device is deleted.
    delete_expired(engine, NOW_S + 0.9 * DAY_S, 400.0, 1000)
    assert known_devices(engine) == ["invented0", "invented1", "invented2"]
    store.update_last_seen({"invented0": NOW_S + DAY_S})
    store.write_events([message("door1", 2)], NOW_S + 1.5 * DAY_S)
    # The newest of the devices that are silent now is deleted.
    delete_expired(engine, NOW_S + 1.5 * DAY_S, 400.0, 1000)
    assert known_devices(engine) == ["door1", "invented0", "invented1"]
    assert store.write_events([message("door1", 5)], NOW_S + 1.6 * DAY_S).lost == {"door1": 2}


def test_retired_device_is_kept_beyond_its_age(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.dashboard.history.retention.MAX_RETIRED", 2)
    store, history = HistoryStore(engine), HistoryQueries(engine)
    store.update_last_seen({"a": NOW_S, "b": NOW_S})
    store.retire_devices(["a"], NOW_S + 1.0)
    store.update_last_seen({"c": NOW_S + 40 * DAY_S})
    delete_expired(engine, NOW_S + 40 * DAY_S, 30.0, 1000)
    assert known_devices(engine) == ["a", "c"]
    for at_s, name in enumerate(("never heard", "another"), 2):
        store.retire_devices([name], NOW_S + at_s)
    delete_expired(engine, NOW_S + 40 * DAY_S, 30.0, 1000)
    assert history.retired_devices() == {"never heard", "another"}


@pytest.mark.parametrize(("is_synchronised", "ahead_s"), [(True, 9e7), (False, 0.0)])
def test_job_follows_only_a_synchronised_clock_that_jumps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_synchronised: bool, ahead_s: float
) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/history.sqlite3")
    job = RetentionJob(engine, 400.0, 1000)
    started_s = time.time()
    module = "edge.dashboard.history.retention"
    monkeypatch.setattr(f"{module}.clock_is_synchronised", lambda: is_synchronised)
    monkeypatch.setattr(f"{module}.time.time", lambda: started_s + 9e7)
    assert job._now_s() == pytest.approx(started_s + ahead_s, abs=30.0)
    engine.dispose()


def test_job_deletes_at_its_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/history.sqlite3")
    store, now_s = HistoryStore(engine), time.time()
    store.write_events([message(seq=1, at_s=now_s - 40 * DAY_S)], now_s)
    store.write_events([message(seq=2, at_s=now_s)], now_s)
    done = threading.Event()
    job = RetentionJob(engine, 30.0, 1000)
    monkeypatch.setattr(job._stopped, "wait", lambda _: done.set() or True)
    job.start()
    assert done.wait(20.0)
    job.stop()
    assert count(engine, alerts) == 1
    engine.dispose()
