from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from edge.camera.source import Frame
from edge.common.errors import UserError
from edge.config.settings import SnapshotSettings
from edge.daemon.current_view import View
from edge.daemon.snapshot_store import SnapshotStore
from tests.support.alert_events import alert_event

FRAME = Frame(np.zeros((48, 64, 3), np.uint8), 1.0, 1)


def settings_for(folder: Path, enabled: bool = True) -> SnapshotSettings:
    return SnapshotSettings(enabled=enabled, path=str(folder), max_age_days=1.0)


def test_only_the_start_of_an_alert_is_saved(tmp_path: Path) -> None:
    store = SnapshotStore(settings_for(tmp_path))
    store.save_alert(alert_event("no_mask_start", "door1-1"), FRAME)
    store.save_alert(alert_event("no_mask_end", "door1-2"), FRAME)
    assert [path.name for path in tmp_path.iterdir()] == ["door1-1.jpg"]


def test_failed_snapshot_of_an_alert_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    SnapshotStore(settings_for(tmp_path / "file")).save_alert(alert_event(), FRAME)
    assert "cannot write the snapshot" in caplog.text


def test_view_is_saved_on_request(tmp_path: Path) -> None:
    store = SnapshotStore(settings_for(tmp_path))
    path = store.save_view(View(FRAME, ()), "door1-3")
    assert path == tmp_path / "door1-3.jpg"
    assert path.exists()


def test_refused_request_gives_the_reason(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no current picture"):
        SnapshotStore(settings_for(tmp_path)).save_view(None, "door1-3")
    with pytest.raises(UserError, match="snapshots are off"):
        SnapshotStore(settings_for(tmp_path, enabled=False)).save_view(View(FRAME, ()), "door1-3")


def test_change_turns_snapshots_off_and_on(tmp_path: Path) -> None:
    store = SnapshotStore(settings_for(tmp_path, enabled=False))
    store.save_alert(alert_event(), FRAME)
    assert list(tmp_path.iterdir()) == []
    store.change(settings_for(tmp_path / "other"))
    store.save_alert(alert_event(), FRAME)
    assert (tmp_path / "other" / "door1-1.jpg").exists()


def test_old_snapshots_expire_while_off(tmp_path: Path) -> None:
    store = SnapshotStore(settings_for(tmp_path))
    store.save_alert(alert_event(), FRAME)
    os.utime(tmp_path / "door1-1.jpg", (1.0, 1.0))
    store.change(settings_for(tmp_path, enabled=False))
    store.delete_expired()
    assert list(tmp_path.iterdir()) == []
