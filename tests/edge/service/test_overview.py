"""`mask-patrol status` with several cameras, and which cameras are in use."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edge.common.errors import UsageError
from edge.config.installed_camera import FIRST_CAMERA, InstalledCamera
from edge.service import cameras
from edge.service.online import wait_until_online
from edge.service.overview import CameraState, overview_json, overview_lines, read_state
from edge.service.systemd_unit import ServiceState
from tests.edge.service.test_status import RUNNING, STATUS, report, status_with

OFF = ServiceState(True, "inactive", "dead", "success", 0, None, 0)


def states() -> list[CameraState]:
    doors = {name: InstalledCamera(name) for name in ("door2", "door3", "door4")}
    second = {**status_with(connected=False), "broker_failure": "refused\x1b", "device": "door2"}
    return [
        CameraState(FIRST_CAMERA, report(previous="0.1.0", root_read_only=True)),
        CameraState(doors["door2"], report(second)),
        CameraState(doors["door3"], report(None, service=OFF, age_s=None)),
        CameraState(doors["door4"], report(None, age_s=None), "cannot read its status"),
    ]


def test_overview_has_a_line_for_each_camera() -> None:
    assert list(overview_lines(states())) == [
        "Mask Patrol 0.2.0+ab (previous: 0.1.0), 4 cameras",
        "root: read-only: changes are lost at the next boot",
        "mask-patrol  ok       door1: running for 1 h 2 min, 10.0 frames/s, 0 events queued",
        r"door2        PROBLEM  door2: it is not connected to the broker: refused\x1b",
        "door3        off      sudo systemctl enable --now mask-patrol@door3 turns it on",
        "door4        PROBLEM  cannot read its status",
        "mask-patrol status door4 shows all about one of them.",
    ]


def test_object_contains_each_camera() -> None:
    first, second, third, _ = states()
    body = json.loads(overview_json([first, second, third]))
    assert body["status"] == STATUS
    assert {name: each["well"] for name, each in body["cameras"].items()} == {
        "door2": False,
        "door3": False,
    }
    assert body["well"] is False
    # A camera that was turned off is no problem.
    assert json.loads(overview_json([first, third]))["well"] is True


def test_unreadable_status_of_one_camera_is_its_problem(tmp_path: Path) -> None:
    camera = InstalledCamera("door2", tmp_path)
    camera.runtime.mkdir(parents=True)
    (camera.runtime / "status.json").write_text("{")
    state = read_state(camera)
    assert "it is not JSON" in state.unreadable
    assert state.has_problem


def installed(root: Path, *names: str) -> Path:
    for name in names:
        camera = InstalledCamera(name, root)
        camera.credentials.mkdir(parents=True)
        camera.configuration.touch()
    return root


@pytest.mark.parametrize(
    ("further", "off", "shown", "used"),
    [
        ((), (), ["mask-patrol"], ["mask-patrol"]),
        ((), ("mask-patrol",), ["mask-patrol"], ["mask-patrol"]),
        (("b", "a"), (), ["mask-patrol", "a", "b"], ["mask-patrol", "a", "b"]),
        (("b", "a"), ("a",), ["mask-patrol", "a", "b"], ["mask-patrol", "b"]),
        (("b", "a"), ("mask-patrol",), ["a", "b"], ["a", "b"]),
        (("a",), ("mask-patrol", "a"), ["a"], []),
    ],
)
def test_cameras_that_were_turned_off_are_left_out(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    further: tuple[str, ...],
    off: tuple[str, ...],
    shown: list[str],
    used: list[str],
) -> None:
    turned_off = {InstalledCamera(name).unit for name in off}
    monkeypatch.setattr(
        cameras, "service_state", lambda unit: OFF if unit in turned_off else RUNNING
    )
    root = installed(tmp_path, *further)
    assert [camera.name for camera in cameras.installed_cameras(root)] == shown
    assert [camera.name for camera in cameras.cameras_in_use(root)] == used


def test_unknown_camera_is_answered_with_all_names(tmp_path: Path) -> None:
    root = installed(tmp_path, "door2")
    assert cameras.find_camera("door2", root).service == "mask-patrol@door2"
    assert cameras.find_camera("mask-patrol", root).is_first
    with pytest.raises(UsageError, match="no camera door3; this device has: mask-patrol, door2"):
        cameras.find_camera("door3", root)


def test_all_cameras_must_come_online() -> None:
    now_s = 0.0

    def wait(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    ok = report(status_with())
    bad = replace(ok, status={**STATUS, "health": {**STATUS["health"], "camera": "black"}})

    def outcome(**reports: object) -> str | None:
        return wait_until_online({}, 8.0, lambda: reports, lambda: now_s, wait)  # type: ignore[arg-type, return-value]

    assert outcome(a=ok, b=ok) is None
    assert outcome(a=ok, b=bad) == "b: its camera is black: waiting"
    assert (
        outcome(a=bad, b=bad) == "a: its camera is black: waiting; b: its camera is black: waiting"
    )
