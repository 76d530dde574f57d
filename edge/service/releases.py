"""The versions that are installed on a device, and the switch from one to another.

Each lies in a folder of its own with its installer, which makes it the one that runs: units, then
the link `current`, renamed into place. While a new one is on trial a file says which one was
there before: whatever cuts the trial off, the next start of the machine goes on from there.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge.common.errors import UserError
from edge.mqtt.credentials import CREDENTIAL_PASSWORD, CREDENTIAL_USERNAME, PASSWORD, USERNAME
from edge.service.systemd_unit import CONFIG, DASHBOARD_UNIT, RELEASES, UNIT, release

LOCK = Path("/run/lock/mask-patrol-install.lock")
CREDENTIALS = CONFIG.parent / "credentials"
STATE = Path("/var/lib/mask-patrol")
ACCOUNT = "mask-patrol"
TRIAL = RELEASES / "trial"
#: Written by install.sh while a restart is owed.
UNSTARTED = Path("/run/mask-patrol-unstarted")
#: Folders of bundles that are being unpacked begin so.
UNPACKED = ".unpacked-"
NEEDED_MB = 700
#: No part of a check waits for longer than some seconds.
CHECK_S = 600.0
INSTALLER = Path("share/mask-patrol/install.sh")


@contextmanager
def alone(lock: Path = LOCK) -> Iterator[None]:
    """No other installation goes on meanwhile; raises UserError when one does."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError("another installation is going on: wait for it") from None
        yield


def install_beside(bundle: Path, version: str) -> Path:
    """Make a release of an unpacked bundle; nothing that runs is touched. Raises UserError."""
    _run([str(bundle / "install.sh"), "--release-only"], "the new version cannot be installed")
    return RELEASES / version


def activate(version: str) -> None:
    """Make `version` the one that runs from the next start on; raises UserError."""
    installer = RELEASES / version / INSTALLER
    _run([str(installer), "--activate"], f"{version} cannot be switched to")


def restart() -> None:
    """Stop the service and start it, without waiting for either; the dashboard if it runs."""
    _run(["systemctl", "restart", "--no-block", UNIT], "systemd does not restart the service")
    UNSTARTED.unlink(missing_ok=True)
    subprocess.run(["systemctl", "try-restart", "--no-block", DASHBOARD_UNIT], check=False)


def check(version: str) -> bool:
    """Run that version's `mask-patrol check` as the service would, beside the one that runs.

    The camera is left to who has it: the bundled clip stands in for it.
    """
    account = pwd.getpwnam(ACCOUNT)
    login = {USERNAME: CREDENTIAL_USERNAME, PASSWORD: CREDENTIAL_PASSWORD}
    program = RELEASES / version / "bin/mask-patrol"
    try:
        result = subprocess.run(
            [program, "check", "--config", CONFIG, "--source", "demo"],
            cwd=STATE if STATE.exists() else "/",
            env={
                "PATH": os.defpath,
                "HOME": str(STATE),
                "STATE_DIRECTORY": str(STATE),
                **{name: _credential(file) for name, file in login.items()},
            },
            user=account.pw_uid,
            group=account.pw_gid,
            extra_groups=[],
            timeout=CHECK_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return result.returncode == 0


def _credential(name: str) -> str:
    with suppress(OSError):
        return (CREDENTIALS / name).read_text(encoding="utf-8").strip()
    return ""


def begin_trial(before: str) -> None:
    """From now on, a cut goes back to `before`; on the disk when this returns."""
    new = TRIAL.with_name(TRIAL.name + ".new")
    with new.open("w", encoding="utf-8") as file:
        file.write(f"{before}\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(TRIAL)
    _sync(TRIAL.parent)


def trial() -> str | None:
    """Which version was there before the one on trial; None without a trial."""
    try:
        return TRIAL.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None


def end_trial() -> None:
    """The version that runs is the one to keep."""
    TRIAL.unlink(missing_ok=True)
    _sync(TRIAL.parent)


def require_room() -> None:
    """For an unpacked bundle and a version; raises UserError."""
    free_mb = shutil.disk_usage(RELEASES).free // 2**20
    if free_mb < NEEDED_MB:
        raise UserError(f"{RELEASES} has {free_mb} MB free, an update needs {NEEDED_MB}: make room")


def tidy() -> None:
    """Delete what a cut left half made, and all versions but the one that runs and the one
    before."""
    whole = installed()
    kept = {*whole, release("current")}
    for folder in RELEASES.iterdir():
        half = folder.name.startswith(UNPACKED) or (folder / "pyvenv.cfg").exists()
        if folder.is_dir() and not folder.is_symlink() and half and folder.name not in kept:
            shutil.rmtree(folder, ignore_errors=True)
    for version in whole:
        forget(version)


def forget(version: str) -> None:
    """Delete a release that is neither the one that runs nor the one before."""
    if version not in (release("current"), release("previous")):
        shutil.rmtree(RELEASES / version, ignore_errors=True)


def spoil(version: str) -> None:
    """Say that a release is not whole: it is never gone back to, and `tidy` takes it away."""
    with suppress(OSError):  # no reason not to go back
        (RELEASES / version / ".complete").unlink(missing_ok=True)
        _sync(RELEASES / version)


def point_previous(version: str | None) -> None:
    """Say which version came before the one that runs."""
    link = RELEASES / "previous"
    if version is None:
        link.unlink(missing_ok=True)
        return
    new = link.with_name("previous.new")
    new.unlink(missing_ok=True)
    new.symlink_to(version)
    new.replace(link)


def installed() -> list[str]:
    """The versions that are there, whole."""
    folders = (path.parent for path in RELEASES.glob("*/.complete"))
    return sorted(folder.name for folder in folders if not folder.is_symlink())


def _run(command: list[str], failure: str) -> None:
    try:
        code = subprocess.run(command, check=False).returncode
    except OSError as error:
        raise UserError(f"{failure}: {error.strerror}") from None
    if code:
        raise UserError(f"{failure} (see above)")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
