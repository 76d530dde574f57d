"""The releases that are installed on a device, and the switch from one to another.

Each release has its own folder, which contains its installer. The installer activates the release:
it installs the units, then renames the link `current` into place. During the trial of a new
release, a file names the release that ran before. If the trial is interrupted, the next boot of the
device reads that file and ends the trial.
"""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge.camera.private_source import CREDENTIAL_SOURCE, SOURCE_VARIABLE
from edge.common.errors import UserError
from edge.common.regular_file import follow_own_link, read_regular_file
from edge.common.sync_folder import sync_folder
from edge.common.text_files import EncodingError, decode_text
from edge.config.installed_camera import FIRST_CAMERA, InstalledCamera
from edge.mqtt.credentials import (
    CREDENTIAL_PASSWORD,
    CREDENTIAL_USERNAME,
    MAX_CREDENTIAL_BYTES,
    PASSWORD_VARIABLE,
    USERNAME_VARIABLE,
)
from edge.service.systemd_unit import DASHBOARD_UNIT, RELEASES, linked_release

#: The folder, which install.sh uses, too, is for root only: a user who can open a lock can hold it.
LOCK = Path("/run/mask-patrol-install/lock")
ACCOUNT, CAMERA_GROUP = "mask-patrol", "video"
PIN_GROUP = "gpio"
#: This file contains the version that ran before the one on trial.
TRIAL = RELEASES / "trial"
#: install.sh creates this file when it changes something. The file is removed when the service has
#: been restarted.
RESTART_PENDING = Path("/run/mask-patrol-unstarted")
#: Prefix of folders into which bundles are unpacked.
UNPACKED = ".unpacked-"
#: Free disk space that an update needs: the unpacked bundle and the release.
NEEDED_MB = 700
#: Time limit of `mask-patrol check`, of which each part waits for a few seconds at most.
CHECK_TIMEOUT_S = 600.0
INSTALLER = Path("share/mask-patrol/install.sh")


@contextmanager
def installation_lock(lock: Path = LOCK) -> Iterator[None]:
    """Hold the lock against concurrent installations; raises UserError if it is already held."""
    lock.parent.mkdir(mode=0o700, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError("another installation is running: wait until it has ended") from None
        yield


def install_release(bundle: Path, version: str) -> Path:
    """Install a release from an unpacked bundle; return its folder. Raises UserError.

    The release that runs is not changed.
    """
    _run([str(bundle / "install.sh"), "--release-only"], "cannot install the new version")
    return RELEASES / version


def activate(version: str) -> None:
    """Make `version` the release that runs from the next start on; raises UserError."""
    installer = RELEASES / version / INSTALLER
    _run([str(installer), "--activate"], f"cannot switch to {version}")


def restart_services(cameras: Iterable[InstalledCamera]) -> None:
    """Restart `cameras`, and the dashboard if it runs, without waiting. Raises UserError."""
    if units := [camera.unit for camera in cameras]:
        _run(["systemctl", "restart", "--no-block", *units], "systemd cannot restart the service")
    RESTART_PENDING.unlink(missing_ok=True)
    subprocess.run(["systemctl", "try-restart", "--no-block", DASHBOARD_UNIT], check=False)


def check_release(version: str, camera: InstalledCamera, use_source: bool = False) -> bool:
    """Run `mask-patrol check` of that release for `camera` as the service's account.

    Returns whether it passes. Unless `use_source` is set, the running service keeps the camera, and
    the check reads the bundled clip instead.
    """
    account = pwd.getpwnam(ACCOUNT)
    credentials = {USERNAME_VARIABLE: CREDENTIAL_USERNAME, PASSWORD_VARIABLE: CREDENTIAL_PASSWORD}
    if use_source:
        credentials[SOURCE_VARIABLE] = CREDENTIAL_SOURCE
    program = RELEASES / version / "bin/mask-patrol"
    folder = FIRST_CAMERA.state
    try:
        result = subprocess.run(
            [
                *(program, "check", "--config", camera.configuration),
                *(() if use_source else ("--source", "demo")),
            ],
            cwd=folder if folder.exists() else "/",
            env={
                "PATH": os.defpath,
                "HOME": str(folder),
                "STATE_DIRECTORY": str(camera.state),
                **{name: read_credential(camera, file) for name, file in credentials.items()},
            },
            user=account.pw_uid,
            group=account.pw_gid,
            extra_groups=_existing_groups(PIN_GROUP, *((CAMERA_GROUP,) if use_source else ())),
            timeout=CHECK_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return result.returncode == 0


def _existing_groups(*names: str) -> list[int]:
    """Return those of the unit's supplementary groups that this system has."""
    groups = []
    for name in names:
        with suppress(KeyError):
            groups.append(grp.getgrnam(name).gr_gid)
    return groups


def read_credential(camera: InstalledCamera, name: str) -> str:
    """Return a credential of `camera`, empty if there is none or it cannot be read."""
    with suppress(OSError, EncodingError):
        # As install.sh does, and systemd when it starts the service, follow a link to the folder.
        folder = follow_own_link(camera.credentials)
        return decode_text(read_regular_file(folder / name, MAX_CREDENTIAL_BYTES)).strip()
    return ""


def begin_trial(fallback: str) -> None:
    """Record that a trial has begun, and that `fallback` is the release to return to.

    The record is on the disk when this function returns.
    """
    new = TRIAL.with_name(TRIAL.name + ".new")
    with new.open("w", encoding="utf-8") as file:
        file.write(f"{fallback}\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(TRIAL)
    sync_folder(TRIAL.parent)


def trial_fallback() -> str | None:
    """Return the version that ran before the one on trial; None if no trial is in progress."""
    try:
        return TRIAL.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None


def end_trial() -> None:
    """Remove the record of the trial: the current release is kept."""
    TRIAL.unlink(missing_ok=True)
    sync_folder(TRIAL.parent)


def require_free_space() -> None:
    """Raise UserError unless the disk has space for an unpacked bundle and a release."""
    free_mb = shutil.disk_usage(RELEASES).free // 2**20
    if free_mb < NEEDED_MB:
        raise UserError(
            f"{RELEASES} has {free_mb} MB free, and an update needs {NEEDED_MB} MB: free some space"
        )


def remove_old_releases() -> None:
    """Delete what interrupted installations left, and all releases except the current and the
    previous one."""
    complete = complete_releases()
    kept = {*complete, linked_release("current")}
    for folder in RELEASES.iterdir():
        incomplete = folder.name.startswith(UNPACKED) or (folder / "pyvenv.cfg").exists()
        if folder.is_dir() and not folder.is_symlink() and incomplete and folder.name not in kept:
            shutil.rmtree(folder, ignore_errors=True)
    for version in complete:
        remove_release(version)


def remove_release(version: str) -> None:
    """Delete a release, unless it is the current or the previous one."""
    if version not in (linked_release("current"), linked_release("previous")):
        shutil.rmtree(RELEASES / version, ignore_errors=True)


def mark_incomplete(version: str) -> None:
    """Mark a release as incomplete: no rollback returns to it, and `remove_old_releases` deletes
    it."""
    with suppress(OSError):  # a failure must not prevent the rollback
        (RELEASES / version / ".complete").unlink(missing_ok=True)
        sync_folder(RELEASES / version)


def set_previous(version: str | None) -> None:
    """Make the link `previous` point to `version`; remove the link if `version` is None."""
    link = RELEASES / "previous"
    if version is None:
        link.unlink(missing_ok=True)
        return
    new = link.with_name("previous.new")
    new.unlink(missing_ok=True)
    new.symlink_to(version)
    new.replace(link)


def complete_releases() -> list[str]:
    """Return the versions of all releases that are completely installed, sorted."""
    folders = (path.parent for path in RELEASES.glob("*/.complete"))
    return sorted(folder.name for folder in folders if not folder.is_symlink())


def _run(command: list[str], failure: str) -> None:
    try:
        code = subprocess.run(command, check=False).returncode
    except OSError as error:
        raise UserError(f"{failure}: {error.strerror}") from None
    if code:
        raise UserError(f"{failure} (see above)")
