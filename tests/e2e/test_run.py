"""`mask-patrol run` as a process, with a clip as its source, a real broker, and a subscriber."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import cv2
import jsonschema
import pytest

from edge.common.paths import event_schema, shipped_model
from edge.inference.model_file import digest
from tests.support.cli_process import mask_patrol, start_mask_patrol
from tests.support.footage.demo_frames import demo_frames
from tests.support.footage.pictures import write_clip
from tests.support.mqtt.brokers import Mosquitto, Subscriber
from tests.support.ports import free_port
from tests.support.waiting import wait_until

DEMO = [
    ("no_mask_start", None),
    ("no_mask_end", "left"),
    ("no_mask_start", None),
    ("no_mask_end", "masked"),
]


def kinds(events: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return [(event["event_type"], event["ended_by"]) for event in events]


def settings_file(folder: Path, text: str = "") -> Path:
    path = folder / "door.toml"
    path.write_text('device = "door1"\n' + text)
    return path


def test_demo_clip_gives_the_right_events(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    config = settings_file(tmp_path)
    config.write_text('title = "Tür 1"\n' + config.read_text() + '[camera]\ntitle = "入口"\n')
    log = tmp_path / "events.jsonl"
    result = mask_patrol(
        tmp_path, "run", "--config", config, "--pace", "fast",
        "--broker", mosquitto.broker.address, "--events", log,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
    subscriber.wait_for_status("offline")
    events = subscriber.bodies("events")
    validator = jsonschema.Draft202012Validator(json.loads(event_schema().read_text()))
    for event in events:
        validator.validate(event)
    assert kinds(events) == DEMO
    assert [event["seq"] for event in events] == [1, 2, 3, 4]
    assert events[0]["id"] == events[1]["id"] != events[2]["id"] == events[3]["id"]
    assert {event["device"] for event in events} == {"door1"}
    assert {event["model"] for event in events} == {digest(shipped_model().read_bytes())}
    written = [json.loads(line) for line in log.read_text().splitlines()]
    assert [e["id"] for e in written] == [e["id"] for e in events]
    assert subscriber.bodies("status") == ["online", "offline"]
    assert subscriber.bodies("state")[-1]["no_mask"] is False
    assert True in {state["no_mask"] for state in subscriber.bodies("state")}
    hour = subscriber.bodies("state")[-1]["hour"]
    assert [hour[k] for k in ("mask", "no_mask", "incorrect_mask")] == [1, 2, 0]
    assert {event["label"] for event in events} == {"no_mask"}
    (info,) = subscriber.bodies("info")
    assert info["model"]["labels"] == ["mask", "no_mask"]
    assert (info["title"], info["camera"]) == ("Tür 1", {"name": "entrance", "title": "入口"})


def test_same_clip_gives_the_same_events(tmp_path: Path) -> None:
    config = settings_file(tmp_path)
    runs = []
    for number in range(2):
        log = tmp_path / f"{number}.jsonl"
        arguments = ["run", "--config", config, "--no-mqtt", "--pace", "fast", "--events", log]
        assert mask_patrol(tmp_path, *arguments).returncode == 0
        events = [json.loads(line) for line in log.read_text().splitlines()]
        runs.append([(e["event_type"], e["score"], e["box"], e["duration_s"]) for e in events])
    assert runs[0] == runs[1]
    assert len(runs[0]) == len(DEMO)


def test_run_with_embedded_broker_and_watch(tmp_path: Path) -> None:
    result = mask_patrol(tmp_path, "run", "--watch", "--pace", "fast")
    assert (result.returncode, result.stderr) == (0, "")
    alerts = [line for line in result.stdout.splitlines() if "●" in line or "○" in line]
    assert ["NO MASK" in line for line in alerts] == [True, False, True, False]
    assert "4 events: 4 acknowledged by the broker, 4 received back, 0 waiting" in result.stdout
    for stage in ("detect", "classify", "track", "commit", "deliver"):
        assert f"\n{stage} " in result.stdout


def test_log_contains_no_secret(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hush-hush")
    server = Mosquitto(tmp_path, password="hush-hush").start()
    config = settings_file(
        tmp_path,
        f"[mqtt]\nhost = '127.0.0.1'\nport = {server.port}\nusername = 'door'\n"
        f"password_file = '{secret}'\n",
    )
    arguments = ["run", "--config", config, "--pace", "fast", "--log-level", "debug"]
    result = mask_patrol(tmp_path, *arguments)
    server.stop()
    assert result.returncode == 0
    assert "Watching the bundled demo clip; broker 127.0.0.1" in result.stderr
    assert "connected to the broker" in result.stderr
    assert result.stderr.count("no_mask_start") == 2
    assert "hush-hush" not in result.stderr + result.stdout


@pytest.mark.parametrize("argument", ["--source {}", "--source={}"])
def test_list_of_processes_contains_no_password(tmp_path: Path, argument: str) -> None:
    """Every user of the machine can read the arguments of a process."""
    address = f"rtsp://door:hush-hush@127.0.0.1:{free_port()}/stream?token=hush-hush"
    daemon = start_mask_patrol(tmp_path, "run", "--no-mqtt", *argument.format(address).split())
    arguments = Path(f"/proc/{daemon.pid}/cmdline")
    wait_until(lambda: b"--source" in arguments.read_bytes(), "the program has its arguments")
    wait_until(lambda: b"hush-hush" not in arguments.read_bytes(), "the password is hidden")
    assert b"rtsp://127.0.0.1" in arguments.read_bytes()
    assert daemon.poll() is None
    daemon.terminate()
    daemon.communicate(timeout=20)


def test_password_in_a_wrong_argument_is_not_shown(tmp_path: Path) -> None:
    result = mask_patrol(tmp_path, "run", "--sauce", "rtsp://me:hush-hush@cam/1", "me:hush@cam")
    assert result.returncode == 2
    assert "unrecognized arguments: --sauce rtsp://cam/1 ***@cam" in result.stderr
    assert "hush" not in result.stderr


def test_source_is_read_from_a_file(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "hall.mp4", [90] * 5)
    (tmp_path / "source").write_text(f"{clip}\n")
    config = settings_file(tmp_path, f"[camera]\nsource_file = '{tmp_path}/source'\n")
    arguments = ["run", "--config", config, "--no-mqtt", "--pace", "fast", "--log-level", "info"]
    result = mask_patrol(tmp_path, *arguments)
    assert result.returncode == 0
    assert str(clip) in result.stderr
    (tmp_path / "source").unlink()
    result = mask_patrol(tmp_path, *arguments)
    assert (result.returncode, "cannot read camera.source_file" in result.stderr) == (1, True)


def test_clip_in_real_time_gives_the_same_events(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    config = settings_file(tmp_path)
    daemon = start_mask_patrol(
        tmp_path, "run", "--config", config, "--broker", mosquitto.broker.address
    )
    daemon.wait(120)
    subscriber.wait_for_status("offline")
    assert kinds(subscriber.bodies("events")) == DEMO
    assert not any(event["replayed"] for event in subscriber.bodies("events"))


def test_next_run_delivers_events_made_without_a_broker(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    config = settings_file(tmp_path)
    no_broker = f"127.0.0.1:{free_port()}"
    offline = mask_patrol(
        tmp_path, "run", "--config", config, "--pace", "fast", "--broker", no_broker
    )
    assert offline.returncode == 3
    assert offline.stderr.count("no broker at") == 2  # reported at the start and at the end
    assert "4 events were not delivered" in offline.stderr
    # The next run has a source without faces, so that it delivers only the queued events.
    empty = write_clip(tmp_path / "empty.mp4", [90] * 10)
    later = mask_patrol(
        tmp_path, "run", "--config", config, "--pace", "fast",
        "--source", empty, "--broker", mosquitto.broker.address,
    )  # fmt: skip
    assert (later.returncode, later.stderr) == (0, "")
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 4, "the queued events")
    events = subscriber.bodies("events")
    assert kinds(events) == DEMO
    assert [event["seq"] for event in events] == [1, 2, 3, 4]
    assert all(event["replayed"] for event in events)


def test_broker_that_starts_later_gets_all_events(tmp_path: Path) -> None:
    server = Mosquitto(tmp_path)
    log = tmp_path / "events.jsonl"
    daemon = start_mask_patrol(
        tmp_path, "run", "--config", settings_file(tmp_path), "--events", log,
        "--broker", server.broker.address,
    )  # fmt: skip
    wait_until(lambda: log.exists() and log.read_text().count("\n") >= 1, "a first event")
    server.start()
    listener = Subscriber(server.broker)
    daemon.wait(120)
    listener.wait_for_status("offline")
    assert daemon.returncode == 0
    assert kinds(listener.bodies("events")) == DEMO
    listener.close()
    server.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stop_ends_the_alert_and_publishes_offline(
    tmp_path: Path, mosquitto: Mosquitto, subscriber: Subscriber, number: signal.Signals
) -> None:
    daemon = start_mask_patrol(
        tmp_path, "run", "--config", settings_file(tmp_path),
        "--broker", mosquitto.broker.address,
    )  # fmt: skip
    subscriber.wait_for(lambda: len(subscriber.bodies("events")) == 1, "the first alert")
    daemon.send_signal(number)
    _, errors = daemon.communicate(timeout=20)
    assert (daemon.returncode, errors) == (0, "")
    subscriber.wait_for_status("offline")
    assert kinds(subscriber.bodies("events")) == [
        ("no_mask_start", None),
        ("no_mask_end", "shutdown"),
    ]


def test_sigkill_loses_no_committed_event(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """The daemon is killed while no broker runs; the next run delivers the events on disk."""
    log = tmp_path / "events.jsonl"
    config = settings_file(tmp_path)
    daemon = start_mask_patrol(
        tmp_path, "run", "--config", config, "--events", log,
        "--broker", f"127.0.0.1:{free_port()}",
    )  # fmt: skip
    wait_until(lambda: log.exists() and log.read_text().count("\n") >= 2, "two events")
    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
    written = [json.loads(line) for line in log.read_text().splitlines()]
    listener = Subscriber(mosquitto.broker)
    empty = write_clip(tmp_path / "empty.mp4", [90] * 10)
    mask_patrol(
        tmp_path, "run", "--config", config, "--source", empty,
        "--broker", mosquitto.broker.address,
    )  # fmt: skip
    listener.wait_for(lambda: len(listener.bodies("events")) >= len(written), "the events")
    assert [(e["id"], e["seq"]) for e in listener.bodies("events")] == [
        (e["id"], e["seq"]) for e in written
    ]
    listener.close()


def test_folder_of_pictures_is_a_source(tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    for index, picture in enumerate(demo_frames(every=3, at_most=50)):
        cv2.imwrite(str(frames / f"{index:04}.jpg"), picture)
    config = settings_file(tmp_path, "[camera]\nfps = 5.0\n")
    log = tmp_path / "events.jsonl"
    result = mask_patrol(
        tmp_path, "run", "--config", config, "--no-mqtt", "--pace", "fast",
        "--source", frames, "--events", log,
    )  # fmt: skip
    assert result.returncode == 0
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [e["event_type"] for e in events] == ["no_mask_start", "no_mask_end"]
