"""The folder of the releases: which are kept, the record of a trial, the lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.common.errors import UserError
from edge.service import releases
from tests.support.systemd.releases import installed_releases


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
