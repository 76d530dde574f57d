from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.common.errors import UserError
from edge.service import releases, systemd_unit, update
from edge.service.status import Report
from edge.service.systemd_unit import ServiceState
from edge.service.update import POLL_S, STEADY_S, trouble, wait_until_online
from tests.support.cli_process import assert_one_clear_line, mask_patrol

HEALTH: dict[str, Any] = {
    "camera": "ok",
    "connected": True,
    "outbox_on_disk": True,
    "warnings": [],
}


def seen(
    process: int = 8,
    state: str = "active",
    detail: str = "running",
    told_by: int | None = None,
    age_s: float = 1.0,
    **health: Any,
) -> Report:
    status = {
        "pid": told_by or process,
        "health": {**HEALTH, **health},
        "broker_failure": "no broker at b:1883",
        "device": "door1",
        "info": {},
    }
    unit = ServiceState(True, state, detail, "exit-code", 0, 5.0, process)
    return Report(unit, status if state == "active" else None, age_s, "2", "1")


OLD = seen(process=7)


class Passing:
    """A clock that only waiting moves, and what is seen meanwhile: the last for ever."""

    def __init__(self, reports: Iterable[Report]) -> None:
        self.now_s = 0.0
        self._reports = list(reports)

    def look(self) -> Report:
        return self._reports.pop(0) if len(self._reports) > 1 else self._reports[0]

    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    def outcome(self, within_s: float = 30.0, was: Report | None = OLD) -> str | None:
        return wait_until_online(was, within_s, self.look, lambda: self.now_s, self.wait)


def test_online_is_what_stays_so() -> None:
    passing = Passing([OLD, seen(state="activating", detail="start"), seen()])
    assert passing.outcome() is None
    assert passing.now_s == pytest.approx(2 * POLL_S + STEADY_S)


def test_what_falls_back_begins_anew() -> None:
    steady = int(STEADY_S / POLL_S)
    flapping = [*[seen()] * (steady - 1), seen(connected=False), *[seen()] * (steady - 1)]
    passing = Passing([*flapping, seen(process=9)])
    assert passing.outcome() is None
    assert passing.now_s > 2 * STEADY_S


def test_one_that_crashes_again_and_again_is_never_online() -> None:
    reports = [seen(process=number // 4) for number in range(10, 400)]
    assert Passing(reports).outcome(within_s=60.0) == "it does not stay online"


def test_why_it_fell_is_told_and_not_that_it_starts_again() -> None:
    fallen = seen(state="activating", detail="auto-restart")
    passing = Passing([fallen, seen(state="activating", detail="start")])
    assert (passing.outcome(within_s=5.0) or "").startswith("failed (exit-code)")


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (seen(), None),
        (seen(process=7), "the old process still runs"),
        (seen(told_by=7), "it does not tell how it is"),
        (seen(age_s=60.0), "it does not tell how it is"),
        (seen(state="activating", detail="auto-restart"), "failed (exit-code), will be started ag"),
        (seen(connected=False), "it is not connected to the broker: no broker at b:1883"),
        (seen(outbox_on_disk=False), "its outbox is not on the disk"),
        (seen(camera="stalled", warnings=["no frame"]), "its camera is stalled: no frame"),
        (seen(camera="starting"), "its camera is starting: waiting"),
        (Report(None, None, None, None, None), "systemd does not answer"),
    ],
)
def test_why_it_is_not_online(report: Report, expected: str | None) -> None:
    told = trouble(OLD, report)
    assert told == expected if expected is None else (told or "").startswith(expected)
    if expected:
        assert (Passing([report]).outcome(within_s=2.0) or "").startswith(expected)


def test_a_camera_that_was_away_before_may_be_away() -> None:
    was = seen(process=7, camera="stalled")
    assert trouble(was, seen(camera="reopening")) is None


def test_a_broker_or_a_disk_that_was_away_before_may_be_away() -> None:
    was = seen(process=7, connected=False)
    assert trouble(was, seen(connected=False)) is None
    assert (trouble(was, seen(camera="black")) or "").startswith("its camera is black")
    was = seen(process=7, outbox_on_disk=False)
    assert trouble(was, seen(outbox_on_disk=False)) is None
    assert (trouble(None, seen(connected=False)) or "").startswith("it is not connected")


def without(report: Report, *keys: str) -> Report:
    """As a version would tell it whose status and health lack `keys`."""
    status = {key: value for key, value in (report.status or {}).items() if key not in keys}
    status["health"] = {k: v for k, v in status["health"].items() if k not in keys}
    return replace(report, status=status)


@pytest.mark.parametrize(
    ("health", "lacking", "expected"),
    [
        ({"connected": False}, "broker_failure", "it is not connected to the broker: trying"),
        ({"camera": "black"}, "warnings", "its camera is black: waiting"),
        ({}, "camera", "it tells how it is as another version does, and cannot be judged"),
        ({}, "warnings", None),
        ({}, "device", None),
    ],
)
def test_the_status_of_a_version_that_tells_less(
    health: dict[str, Any], lacking: str, expected: str | None
) -> None:
    report = without(seen(**health), lacking)
    assert trouble(OLD, report) == expected
    assert Passing([report]).outcome() == expected


def test_a_status_that_cannot_be_read_is_waited_over() -> None:
    passing = Passing([seen()])
    looks = iter([UserError("status.json is of another version of mask-patrol")])

    def look() -> Report:
        for error in looks:
            raise error
        return passing.look()

    clock = lambda: passing.now_s  # noqa: E731
    assert wait_until_online(OLD, 30.0, look, clock, passing.wait) is None
    assert passing.now_s == pytest.approx(POLL_S + STEADY_S)


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of versions, of which 2 runs and 1 was before."""
    for version in ("1", "2", "3"):
        (tmp_path / version).mkdir()
        (tmp_path / version / ".complete").touch()
    (tmp_path / "current").symlink_to("2")
    (tmp_path / "previous").symlink_to("1")
    for module in (releases, systemd_unit):
        monkeypatch.setattr(module, "RELEASES", tmp_path)
    for user in (releases, update):
        monkeypatch.setattr(user, "release", lambda name: systemd_unit.release(name, tmp_path))
    monkeypatch.setattr(releases, "LOCK", tmp_path / ".lock")
    monkeypatch.setattr(releases, "TRIAL", tmp_path / "trial")
    return tmp_path


def test_a_trial_is_written_down_until_it_ends(device: Path) -> None:
    assert releases.trial() is None
    releases.begin_trial("2")
    assert releases.trial() == "2"
    assert {path.name for path in device.iterdir()} == {
        "1",
        "2",
        "3",
        "current",
        "previous",
        "trial",
    }
    releases.end_trial()
    releases.end_trial()
    assert releases.trial() is None


class CutError(BaseException):
    """The power."""


@pytest.fixture
def on_trial(device: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done in a trial of 3; switching as install.sh does it. 3 is never online."""
    done: list[str] = []

    def activate(version: str) -> None:
        if not (device / version / ".complete").exists():
            raise UserError(f"{version} is not whole")
        now = (device / "current").readlink()
        if now.name != version:
            if (device / now / ".complete").exists():
                releases.point_previous(now.name)
            (device / "current").unlink()
            (device / "current").symlink_to(version)
        done.append(f"activate {version}")

    def online(*_: object) -> str | None:
        if (device / "current").readlink() == Path("3"):
            raise KeyError("broker_failure")
        return None

    for version in ("1", "2", "3"):
        (device / version / "pyvenv.cfg").touch()
    monkeypatch.setattr(releases, "activate", activate)
    monkeypatch.setattr(releases, "restart", lambda: done.append("restart"))
    monkeypatch.setattr(update, "wait_until_online", online)
    monkeypatch.setattr(update, "_require_installation", lambda: None)
    return done


def links(device: Path) -> tuple[str | None, str | None]:
    return systemd_unit.release("current", device), systemd_unit.release("previous", device)


def test_whatever_goes_wrong_in_a_trial_it_goes_back(device: Path, on_trial: list[str]) -> None:
    with pytest.raises(UserError, match=r"3 did not come online \(KeyError: 'broker_fail.*2 runs"):
        update._switch("3", 5.0)
    assert on_trial == ["activate 3", "restart", "activate 2", "restart"]
    assert links(device) == ("2", "1")
    assert releases.trial() is None
    assert releases.installed() == ["1", "2"]


@pytest.mark.usefixtures("on_trial")
def test_it_goes_back_from_what_has_gone_away(
    device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> str | None:
        if (device / "3").exists():
            shutil.rmtree(device / "3")
            raise OSError("it is gone")
        return None

    monkeypatch.setattr(update, "wait_until_online", gone)
    with pytest.raises(UserError, match=r"3 did not come online \(OSError: it is gone\); 2 runs"):
        update._switch("3", 5.0)
    assert links(device) == ("2", "1")


def test_going_back_by_hand_to_what_fails_keeps_it_as_the_one_before(
    device: Path, on_trial: list[str]
) -> None:
    releases.point_previous("3")
    with pytest.raises(UserError, match="3 did not come online"):
        update.roll_back(5.0)
    assert links(device) == ("2", "3")
    assert "3" in releases.installed()


def test_a_cut_while_it_goes_back_leaves_nothing_broken_to_go_back_to(
    device: Path, on_trial: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(version: str | None) -> None:
        if version == "1":  # the older one, at the end of the way back
            raise CutError
        point_previous(version)

    point_previous = releases.point_previous
    monkeypatch.setattr(releases, "point_previous", cut)
    with pytest.raises(CutError):
        update._switch("3", 5.0)
    assert releases.trial() == "2"
    with pytest.raises(UserError, match="is on trial"):
        update.roll_back(5.0)
    assert update.settle(5.0) == 0
    assert links(device) == ("2", None)
    assert releases.trial() is None
    assert releases.installed() == ["2"]
    assert not (device / "3").exists()
    with pytest.raises(UserError, match="there is no version before 2 to go back to"):
        update.roll_back(5.0)


def test_what_runs_is_never_taken_away(device: Path) -> None:
    (device / "2/pyvenv.cfg").touch()
    releases.spoil("2")
    releases.tidy()
    assert (device / "2").exists()


def test_the_last_two_versions_are_kept(device: Path) -> None:
    (device / "4").mkdir()
    (device / "4/pyvenv.cfg").touch()  # a power cut came before it was whole
    (device / ".unpacked-x").mkdir()
    (device / "first-boot").mkdir()  # none of ours
    assert releases.installed() == ["1", "2", "3"]
    releases.tidy()
    assert releases.installed() == ["1", "2"]
    kept = {"1", "2", "current", "previous", "first-boot"}
    assert {path.name for path in device.iterdir()} == kept
    releases.point_previous(None)
    releases.forget("1")
    assert releases.installed() == ["2"]
    releases.point_previous("2")
    assert (device / "previous").readlink() == Path("2")


def test_without_room_nothing_is_begun(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    releases.require_room()
    monkeypatch.setattr(releases, "NEEDED_MB", 2**40)
    with pytest.raises(UserError, match=f"{device} has [0-9]+ MB free, an update needs"):
        releases.require_room()


def test_two_installations_at_once_are_one_too_many(tmp_path: Path) -> None:
    with releases.alone(tmp_path / "lock"), pytest.raises(UserError, match="wait for it"):
        releases.alone(tmp_path / "lock").__enter__()
    with releases.alone(tmp_path / "lock"):
        pass


@pytest.mark.skipif(Path("/opt/mask-patrol").exists(), reason="a mask-patrol is installed here")
@pytest.mark.parametrize("arguments", [["bundle.tar"], ["--back"], ["--settle"]])
def test_where_nothing_is_installed(tmp_path: Path, arguments: list[str]) -> None:
    result = mask_patrol(tmp_path, "update", *arguments)
    assert result.returncode == 2
    assert_one_clear_line(result, "not installed as a service here: install.sh of a bundle does")
    assert os.environ.get("STATE_DIRECTORY") is None


def test_a_time_that_is_none(tmp_path: Path) -> None:
    result = mask_patrol(tmp_path, "update", "bundle.tar", "--within", "0.5")
    assert result.returncode == 2
    assert_one_clear_line(result, "--within takes 1 to 3600 seconds")


def test_a_read_only_root_is_left_as_it_is(
    device: Path, on_trial: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(update, "root_is_read_only", lambda: True)
    for begin in (lambda: update.roll_back(5.0), lambda: update.update(device / "b.tar", 5.0)):
        with pytest.raises(UserError, match="sudo mask-patrol-read-only off"):
            begin()
    assert not on_trial
    assert links(device) == ("2", "1")
    assert update.settle(5.0) == 0  # at every start: a unit that fails there would frighten
