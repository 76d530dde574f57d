"""The folder of the releases: which are kept, the record of a trial, the lock."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from edge.common.errors import UserError
from edge.config.installed_camera import FIRST_CAMERA, InstalledCamera
from edge.service import releases
from tests.support.systemd.releases import installed_releases

#: The account that has planted a link; it only must not be root.
OTHER_ACCOUNT = 65534


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the releases 1, 2 (current), and 3; the previous release is 1."""
    return installed_releases(tmp_path, monkeypatch)


def test_trial_is_recorded_until_it_ends(device: Path) -> None:
    assert releases.trial_fallback() is None
    releases.begin_trial("2")
    assert releases.trial_fallback() == "2"
    names = {path.name for path in device.iterdir()}
    assert names == {"1", "2", "3", "current", "previous", "trial"}
    releases.end_trial()
    releases.end_trial()
    assert releases.trial_fallback() is None


def test_current_release_is_never_deleted(device: Path) -> None:
    (device / "2/pyvenv.cfg").touch()
    releases.mark_incomplete("2")
    releases.remove_old_releases()
    assert (device / "2").exists()


def test_current_and_previous_release_are_kept(device: Path) -> None:
    (device / "4").mkdir()
    (device / "4/pyvenv.cfg").touch()  # a power cut interrupted the installation of 4
    (device / ".unpacked-x").mkdir()
    (device / "first-boot").mkdir()  # not a release
    assert releases.complete_releases() == ["1", "2", "3"]
    releases.remove_old_releases()
    assert releases.complete_releases() == ["1", "2"]
    kept = {"1", "2", "current", "previous", "first-boot"}
    assert {path.name for path in device.iterdir()} == kept


def test_previous_link_can_be_set_and_removed(device: Path) -> None:
    releases.set_previous(None)
    assert not (device / "previous").is_symlink()
    releases.remove_release("1")
    assert releases.complete_releases() == ["2", "3"]
    releases.set_previous("2")
    assert (device / "previous").readlink() == Path("2")


def test_too_little_free_space_is_refused(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    releases.require_free_space()
    monkeypatch.setattr(releases, "NEEDED_MB", 2**40)
    with pytest.raises(UserError, match=f"{device} has [0-9]+ MB free, and an update needs"):
        releases.require_free_space()


def test_second_installation_is_refused(tmp_path: Path) -> None:
    with (
        releases.installation_lock(tmp_path / "lock"),
        pytest.raises(UserError, match="another installation is running"),
    ):
        releases.installation_lock(tmp_path / "lock").__enter__()
    with releases.installation_lock(tmp_path / "lock"):
        pass


def test_lock_is_in_a_folder_for_root_only(tmp_path: Path) -> None:
    """In /run/lock, every user could create the lock and hold it."""
    assert releases.LOCK.parent.parent == Path("/run")
    with releases.installation_lock(tmp_path / "folder/lock"):
        assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a link away")
@pytest.mark.parametrize("planted", ["link", "folder", "fifo", None])
def test_root_follows_no_planted_link_to_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planted: str | None
) -> None:
    """The check of a release gets the credentials from root, and runs as the service's account."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "mqtt-password").write_text("of root\n")
    folder = tmp_path / "credentials"
    if planted == "folder":
        folder.symlink_to(secret)
        os.lchown(folder, OTHER_ACCOUNT, OTHER_ACCOUNT)
    else:
        folder.mkdir()
    if planted == "link":
        (folder / "mqtt-password").symlink_to(secret / "mqtt-password")
        os.lchown(folder / "mqtt-password", OTHER_ACCOUNT, OTHER_ACCOUNT)
    elif planted == "fifo":
        os.mkfifo(folder / "mqtt-password")
    elif planted is None:
        (folder / "mqtt-password").write_text("of the broker\n")
    expected = "of the broker" if planted is None else ""
    assert password_of_the_check(folder, monkeypatch) == expected


@pytest.mark.parametrize("is_relative", [False, True])
def test_folder_of_credentials_may_be_a_link_of_the_administrator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_relative: bool
) -> None:
    """Otherwise the check of a new release fails at a broker that needs a login."""
    target = tmp_path / "data"
    target.mkdir()
    (target / "mqtt-password").write_text("of the broker\n")
    (tmp_path / "credentials").symlink_to("data" if is_relative else target)
    assert password_of_the_check(tmp_path / "credentials", monkeypatch) == "of the broker"


def password_of_the_check(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the password that the check of a release gets, with the credentials in `folder`."""
    monkeypatch.setattr(InstalledCamera, "credentials", folder)
    monkeypatch.setattr(pwd, "getpwnam", lambda _name: pwd.getpwuid(os.getuid()))
    given: dict[str, str] = {}

    def run(*_: Any, env: dict[str, str], **__: Any) -> subprocess.CompletedProcess[bytes]:
        given.update(env)
        return subprocess.CompletedProcess([], 0)

    monkeypatch.setattr(subprocess, "run", run)
    assert releases.check_release("1", FIRST_CAMERA)
    return given["MASK_PATROL_MQTT_PASSWORD"]
