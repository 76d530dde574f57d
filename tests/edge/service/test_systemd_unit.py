"""The state of the unit as `systemctl show` prints it, and the links to releases."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.common.errors import UserError
from edge.service.systemd_unit import ServiceState, linked_release, parse_state, systemctl

OUTPUT = (
    "LoadState=loaded\nActiveState=active\nSubState=running\nResult=success\nNRestarts=2\n"
    "MainPID=321\nActiveEnterTimestampMonotonic=5000000\n"
)


def test_systemctl_output_is_parsed() -> None:
    assert parse_state(OUTPUT, 65.0) == ServiceState(
        True, "active", "running", "success", 2, 60.0, 321
    )


def test_unit_that_was_never_active_has_no_duration() -> None:
    state = parse_state(OUTPUT.replace("=5000000", "=0"), 65.0)
    assert state is not None
    assert state.since_s is None


@pytest.mark.parametrize("text", ["", OUTPUT.replace("=2", "=two")])
def test_other_output_is_no_state(text: str) -> None:
    assert parse_state(text, 65.0) is None


@pytest.mark.parametrize(
    ("state", "detail", "running", "failed"),
    [
        ("active", "running", True, False),
        ("reloading", "reload", True, False),
        ("activating", "start", False, False),
        ("activating", "auto-restart", False, True),
        ("failed", "failed", False, True),
    ],
)
def test_running_and_failed_states(state: str, detail: str, running: bool, failed: bool) -> None:
    service = ServiceState(True, state, detail, "success", 0, None, 0)
    assert (service.running, service.failed) == (running, failed)


def test_release_is_the_target_of_its_link(tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to("0.2.0+ab")
    assert linked_release("current", tmp_path) == "0.2.0+ab"
    assert linked_release("previous", tmp_path) is None


def test_missing_systemctl_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"^cannot run systemctl: No such file or directory$"):
        systemctl("restart", "x")
