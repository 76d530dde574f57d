from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge import releases, service
from edge.errors import UserError
from edge.service import ServiceState
from edge.status import Report
from edge.update import POLL_S, STEADY_S, trouble, wait_until_online
from tests.commands import assert_one_clear_line, mask_patrol

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


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of versions, of which 2 runs and 1 was before."""
    for version in ("1", "2", "3"):
        (tmp_path / version).mkdir()
        (tmp_path / version / ".complete").touch()
    (tmp_path / "current").symlink_to("2")
    (tmp_path / "previous").symlink_to("1")
    for module in (releases, service):
        monkeypatch.setattr(module, "RELEASES", tmp_path)
    monkeypatch.setattr(releases, "release", lambda name: service.release(name, tmp_path))
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
