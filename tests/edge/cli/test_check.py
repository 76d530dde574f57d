from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from edge.cli.check import CheckResult, run_checks
from edge.config.settings import Settings, change
from edge.daemon.camera_file import CameraFile, Drawing
from tests.support.footage.pictures import write_clip
from tests.support.mqtt.brokers import Mosquitto
from tests.support.mqtt.limited_broker import LimitedBroker, Limits


@pytest.fixture
def door(tmp_path: Path, mosquitto: Mosquitto) -> Settings:
    """Settings with which every part works."""
    broker = mosquitto.broker
    return change(
        Settings(),
        device="door1",
        camera={"source": str(write_clip(tmp_path / "hall.mp4", [90] * 5))},
        outbox={"path": str(tmp_path / "outbox.sqlite3")},
        mqtt={"host": broker.host, "port": broker.port},
    )


def check(settings: Settings, **changes: Any) -> dict[str, CheckResult]:
    results = run_checks(None, lambda _: change(settings, **changes))
    return {result.part: result for result in results}


def test_working_parts_are_described(door: Settings) -> None:
    results = check(door)
    assert all(result.ok for result in results.values())
    assert ", unsure below 0." in results["model"].text
    assert results["configuration"].text == "defaults, no file given"
    assert results["outbox"].text.endswith("outbox.sqlite3, 0 events waiting")


def test_values_of_the_camera_page_are_named(
    tmp_path: Path, door: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    camera_file = CameraFile.in_state_directory(None)
    camera_file.save(Drawing(zone=((0.1, 0.1), (0.9, 0.1), (0.9, 0.9))))
    found = check(door)["configuration"]
    assert found.ok
    assert f"`camera.zone`: from {camera_file.path}" in found.text
    camera_file.path.write_text("zone = [")
    found = check(door)["configuration"]
    assert not found.ok
    assert f"delete {camera_file.path}" in found.text


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("model", {"classifier": {"model": "/none.tflite"}}),
        ("detector", {"detector": {"cascade": "/none.xml"}}),
        ("source", {"camera": {"source": "/none.mp4"}}),
        ("outbox", {"outbox": {"path": "/proc/none/outbox"}}),
        ("broker", {"mqtt": {"port": 1}}),
    ],
)
def test_one_fault_leaves_the_other_parts_ok(
    door: Settings, part: str, changes: dict[str, Any]
) -> None:
    results = check(door, **changes)
    # Without a model there is nothing to run an inference with.
    expected = {part, "inference"} if part == "model" else {part}
    assert {name for name, result in results.items() if not result.ok} == expected
    assert len(results) == 7


def test_answer_without_a_reason_code_is_a_refusal(
    door: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, it ended paho's thread with a traceback."""
    ended: list[object] = []
    monkeypatch.setattr(threading, "excepthook", ended.append)
    server = LimitedBroker(Limits(max_suback_codes=0))
    broker = check(door, mqtt={"port": server.broker.port})["broker"]
    server.close()
    assert not broker.ok
    assert "does not let this device read" in broker.text
    assert ended == []
