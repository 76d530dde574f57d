"""The daemon as a whole, in this process; tests/e2e runs it as users do."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path

import pytest

from edge.common.errors import UserError
from edge.config.settings import Settings, change
from edge.daemon.camera_file import CameraFile
from edge.daemon.run import EXIT_UNDELIVERED, RunOptions, run
from edge.mqtt.delivery import NullSink
from tests.support.footage.visit_clip import write_visits
from tests.support.ports import free_port

#: One visit of a person without a mask is one start and one end.
QUICK_ALERTS = {
    "tracker": {"window_s": 0.2, "leave_after_s": 0.15},
    "events": {"min_readings": 1, "confirm_s": 0.0},
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    clip = write_visits(tmp_path / "visit.mp4", 1)
    return change(
        Settings(),
        device="door1",
        camera={"source": str(clip)},
        outbox={"path": str(tmp_path / "outbox.sqlite3")},
        mqtt={"host": "127.0.0.1", "port": free_port()},
        **QUICK_ALERTS,
    )


#: No test of this module saves a drawing.
NO_FILE = CameraFile(Path("/nowhere/camera.toml"), None)


def options_for(settings: Settings, events_file: Path | None, mqtt: bool) -> RunOptions:
    return RunOptions(lambda: settings, NO_FILE, events_file, mqtt=mqtt, fast=True)


def test_recording_without_mqtt_ends_with_success(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "events.jsonl"
    assert run(settings, options_for(settings, path, mqtt=False)) == 0
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert [event["event_type"] for event in events] == ["no_mask_start", "no_mask_end"]
    assert [event["seq"] for event in events] == [1, 2]
    assert not (tmp_path / "outbox.sqlite3").exists()


@pytest.mark.slow
def test_undelivered_events_have_their_own_exit_code(tmp_path: Path, settings: Settings) -> None:
    assert run(settings, options_for(settings, None, mqtt=True)) == EXIT_UNDELIVERED
    assert (tmp_path / "outbox.sqlite3").exists()
    assert json.loads((tmp_path / "restarts.json").read_text()) == {
        "restarts": 0,
        "running": False,
    }


@pytest.mark.slow
def test_failed_start_leaves_nothing_open(settings: Settings) -> None:
    handler, threads = signal.getsignal(signal.SIGTERM), threading.active_count()
    wrong = change(settings, camera={"zone": [[0.1, 0.1], [0.9, 0.9]]})
    with pytest.raises(UserError, match=r"camera\.zone"):
        run(wrong, options_for(wrong, None, mqtt=True))
    assert signal.getsignal(signal.SIGTERM) is handler
    assert threading.active_count() == threads
    # The outbox is unlocked: another run can use it.
    assert run(settings, options_for(settings, None, mqtt=True)) == EXIT_UNDELIVERED


def test_outputs_exist_only_while_the_daemon_runs(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(runtime))
    settings = change(settings, camera={"preview": True})
    seen: list[set[str]] = []

    def load() -> Settings:
        seen.append({path.name for path in runtime.iterdir()})
        return settings

    def reload_at_first_commit(self: NullSink, payload: object, lag_s: object = None) -> int:
        signal.raise_signal(signal.SIGHUP)
        return 1

    monkeypatch.setattr(NullSink, "put", reload_at_first_commit)
    assert run(settings, RunOptions(load, NO_FILE, mqtt=False, fast=True)) == 0
    assert seen
    assert "preview.sock" in seen[0]
    assert list(runtime.iterdir()) == []
