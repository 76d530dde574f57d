"""Updates: when a release counts as online, the trial of a release, and the rollback."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.common.errors import UserError
from edge.service import releases, systemd_unit, update
from edge.service.online import POLL_S, STEADY_S, find_problem, wait_until_online
from edge.service.status import DeviceReport
from edge.service.systemd_unit import ServiceState
from tests.support.cli_process import mask_patrol, mask_patrol_error
from tests.support.systemd.releases import installed_releases

HEALTH: dict[str, Any] = {
    "camera": "ok",
    "connected": True,
    "outbox_on_disk": True,
    "warnings": [],
}


def report(
    process: int = 8,
    state: str = "active",
    detail: str = "running",
    writer: int | None = None,
    age_s: float = 1.0,
    **health: Any,
) -> DeviceReport:
    """Return a report; `writer` is the PID in the status file, by default `process`."""
    status = {
        "pid": writer or process,
        "health": {**HEALTH, **health},
        "broker_failure": "no broker at b:1883",
        "device": "door1",
        "info": {},
    }
    unit = ServiceState(True, state, detail, "exit-code", 0, 5.0, process)
    return DeviceReport(unit, status if state == "active" else None, age_s, "2", "1")


OLD = report(process=7)


class Timeline:
    """A sequence of reports, of which the last repeats, and a clock that only `wait` advances."""

    def __init__(self, reports: Iterable[DeviceReport]) -> None:
        self.now_s = 0.0
        self._reports = list(reports)

    def read(self) -> DeviceReport:
        return self._reports.pop(0) if len(self._reports) > 1 else self._reports[0]

    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    def outcome(self, within_s: float = 30.0, before: DeviceReport | None = OLD) -> str | None:
        befores = {} if before is None else {"mask-patrol": before}
        read = lambda: {"mask-patrol": self.read()}  # noqa: E731
        return wait_until_online(befores, within_s, read, lambda: self.now_s, self.wait)


def test_online_needs_a_steady_service() -> None:
    timeline = Timeline([OLD, report(state="activating", detail="start"), report()])
    assert timeline.outcome() is None
    assert timeline.now_s == pytest.approx(2 * POLL_S + STEADY_S)


def test_interruption_restarts_the_steady_period() -> None:
    steady = int(STEADY_S / POLL_S)
    interrupted = [
        *[report()] * (steady - 1),
        report(connected=False),
        *[report()] * (steady - 1),
    ]
    timeline = Timeline([*interrupted, report(process=9)])
    assert timeline.outcome() is None
    assert timeline.now_s > 2 * STEADY_S


def test_crash_loop_is_never_online() -> None:
    reports = [report(process=number // 4) for number in range(10, 400)]
    assert Timeline(reports).outcome(within_s=60.0) == "it does not stay online"


def test_crash_is_reported_rather_than_restart() -> None:
    crashed = report(state="activating", detail="auto-restart")
    timeline = Timeline([crashed, report(state="activating", detail="start")])
    assert (timeline.outcome(within_s=5.0) or "").startswith("failed (exit-code)")


def test_healthy_new_process_has_no_problem() -> None:
    assert find_problem(OLD, report()) is None


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        (report(process=7), "the old process still runs"),
        (report(writer=7), "it has not written its status"),
        (report(age_s=60.0), "it has not written its status"),
        (report(state="activating", detail="auto-restart"), "failed (exit-code), will be rest"),
        (report(connected=False), "it is not connected to the broker: no broker at b:1883"),
        (report(outbox_on_disk=False), "its outbox is not on the disk"),
        (report(camera="stalled", warnings=["no frame"]), "its camera is stalled: no frame"),
        (report(camera="starting"), "its camera is starting: waiting"),
        (DeviceReport(None, None, None, None, None), "systemd does not reply"),
    ],
)
def test_problem_is_reported(current: DeviceReport, expected: str) -> None:
    assert (find_problem(OLD, current) or "").startswith(expected)
    assert (Timeline([current]).outcome(within_s=2.0) or "").startswith(expected)


def test_camera_problem_from_before_is_ignored() -> None:
    before = report(process=7, camera="stalled")
    assert find_problem(before, report(camera="reopening")) is None


def test_broker_or_disk_problem_from_before_is_ignored() -> None:
    before = report(process=7, connected=False)
    assert find_problem(before, report(connected=False)) is None
    problem = find_problem(before, report(camera="black")) or ""
    assert problem.startswith("its camera is black")
    before = report(process=7, outbox_on_disk=False)
    assert find_problem(before, report(outbox_on_disk=False)) is None
    problem = find_problem(None, report(connected=False)) or ""
    assert problem.startswith("it is not connected")


def without(full: DeviceReport, *keys: str) -> DeviceReport:
    """Return the report of a version whose status and health lack `keys`."""
    status = {key: value for key, value in (full.status or {}).items() if key not in keys}
    status["health"] = {k: v for k, v in status["health"].items() if k not in keys}
    return replace(full, status=status)


@pytest.mark.parametrize(
    ("health", "lacking", "expected"),
    [
        (
            {"connected": False},
            "broker_failure",
            "it is not connected to the broker: connecting",
        ),
        ({"camera": "black"}, "warnings", "its camera is black: waiting"),
        (
            {},
            "camera",
            "its status has the format of another version and cannot be evaluated",
        ),
        ({}, "warnings", None),
        ({}, "device", None),
    ],
)
def test_status_of_another_version_is_evaluated(
    health: dict[str, Any], lacking: str, expected: str | None
) -> None:
    current = without(report(**health), lacking)
    assert find_problem(OLD, current) == expected
    assert Timeline([current]).outcome() == expected


def test_unreadable_status_is_read_again() -> None:
    timeline = Timeline([report()])
    errors = iter([UserError("status.json was written by another version")])

    def read() -> dict[str, DeviceReport]:
        for error in errors:
            raise error
        return {"mask-patrol": timeline.read()}

    before = {"mask-patrol": OLD}
    outcome = wait_until_online(before, 30.0, read, lambda: timeline.now_s, timeline.wait)
    assert outcome is None
    assert timeline.now_s == pytest.approx(POLL_S + STEADY_S)


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the releases 1, 2 (current), and 3; the previous release is 1."""
    return installed_releases(tmp_path, monkeypatch)


class PowerCutError(BaseException):
    """Simulates a power cut: no code under test catches it."""


@pytest.fixture
def calls(device: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls that a trial makes, with a stub of install.sh. Release 3 is never online."""
    calls: list[str] = []

    def activate(version: str) -> None:
        if not (device / version / ".complete").exists():
            raise UserError(f"{version} is not complete")
        now = (device / "current").readlink()
        if now.name != version:
            if (device / now / ".complete").exists():
                releases.set_previous(now.name)
            (device / "current").unlink()
            (device / "current").symlink_to(version)
        calls.append(f"activate {version}")

    def online(*_: object) -> str | None:
        if (device / "current").readlink() == Path("3"):
            raise KeyError("broker_failure")
        return None

    for version in ("1", "2", "3"):
        (device / version / "pyvenv.cfg").touch()
    monkeypatch.setattr(releases, "activate", activate)
    monkeypatch.setattr(releases, "restart_services", lambda _: calls.append("restart"))
    monkeypatch.setattr(update, "wait_until_online", online)
    monkeypatch.setattr(update, "_require_installation", lambda *_: None)
    return calls


def links(device: Path) -> tuple[str | None, str | None]:
    """Return the current and the previous release."""
    return (
        systemd_unit.linked_release("current", device),
        systemd_unit.linked_release("previous", device),
    )


def test_outputs_are_set_up_by_activating_the_release_again(device: Path, calls: list[str]) -> None:
    """install.sh gives the units what the settings need, also when they have changed since."""
    update.set_up_outputs()
    assert calls == ["activate 2", "restart"]
    releases.begin_trial("1")
    with pytest.raises(UserError, match="is on trial"):
        update.set_up_outputs()
    assert calls == ["activate 2", "restart"]


def test_any_error_in_a_trial_rolls_back(device: Path, calls: list[str]) -> None:
    with pytest.raises(UserError, match=r"3 did not come online \(KeyError: 'broker_fail.*2 runs"):
        update._switch("3", 5.0)
    assert calls == ["activate 3", "restart", "activate 2", "restart"]
    assert links(device) == ("2", "1")
    assert releases.trial_fallback() is None
    assert releases.complete_releases() == ["1", "2"]


@pytest.mark.usefixtures("calls")
def test_rollback_from_a_deleted_release(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def delete(*_: object) -> str | None:
        if (device / "3").exists():
            shutil.rmtree(device / "3")
            raise OSError("it was deleted")
        return None

    monkeypatch.setattr(update, "wait_until_online", delete)
    with pytest.raises(
        UserError, match=r"3 did not come online \(OSError: it was deleted\); 2 runs"
    ):
        update._switch("3", 5.0)
    assert links(device) == ("2", "1")


@pytest.mark.usefixtures("calls")
def test_failed_manual_rollback_keeps_previous(device: Path) -> None:
    releases.set_previous("3")
    with pytest.raises(UserError, match="3 did not come online"):
        update.roll_back(5.0)
    assert links(device) == ("2", "3")
    assert "3" in releases.complete_releases()


@pytest.mark.usefixtures("calls")
def test_power_cut_in_rollback_leaves_no_broken_release(
    device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(version: str | None) -> None:
        if version == "1":  # the last step of the rollback
            raise PowerCutError
        set_previous(version)

    set_previous = releases.set_previous
    monkeypatch.setattr(releases, "set_previous", cut)
    with pytest.raises(PowerCutError):
        update._switch("3", 5.0)
    assert releases.trial_fallback() == "2"
    with pytest.raises(UserError, match="is on trial"):
        update.roll_back(5.0)
    assert update.settle(5.0) == 0
    assert links(device) == ("2", None)
    assert releases.trial_fallback() is None
    assert releases.complete_releases() == ["2"]
    assert not (device / "3").exists()
    with pytest.raises(UserError, match="there is no release before 2 to return to"):
        update.roll_back(5.0)


def test_read_only_root_refuses_updates(
    device: Path, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(update, "root_is_read_only", lambda: True)
    for begin in (lambda: update.roll_back(5.0), lambda: update.update(device / "b.tar", 5.0)):
        with pytest.raises(UserError, match="sudo mask-patrol-read-only off"):
            begin()
    assert not calls
    assert links(device) == ("2", "1")
    # The unit runs `settle` at every boot, so `settle` must not fail.
    assert update.settle(5.0) == 0


@pytest.mark.slow
@pytest.mark.skipif(Path("/opt/mask-patrol").exists(), reason="mask-patrol is installed here")
@pytest.mark.parametrize("arguments", [["bundle.tar"], ["--back"], ["--settle"]])
def test_update_without_installation_is_refused(tmp_path: Path, arguments: list[str]) -> None:
    result = mask_patrol(tmp_path, "update", *arguments)
    assert result.returncode == 2
    message = "the service is not installed: install.sh of a bundle installs"
    assert message in mask_patrol_error(result)
    assert os.environ.get("STATE_DIRECTORY") is None


def test_time_limit_below_one_second_is_refused(tmp_path: Path) -> None:
    result = mask_patrol(tmp_path, "update", "bundle.tar", "--within", "0.5")
    assert result.returncode == 2
    assert "--within" in mask_patrol_error(result)
