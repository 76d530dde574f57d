"""What the installation of a camera does to the system: its unit, its check, its state."""

from __future__ import annotations

import os
import pwd
import subprocess

from edge.common.errors import UserError
from edge.config.installed_camera import FIRST_CAMERA, InstalledCamera
from edge.service.cameras import read_reports
from edge.service.online import wait_until_online
from edge.service.releases import ACCOUNT, check_release
from edge.service.systemd_unit import linked_release, systemctl

#: Mode of the state directory, as in the units.
STATE_MODE = 0o750


class CameraSystem:
    """The system of this device."""

    def prepare(self) -> None:
        """Create the state directory of the service, which systemd does at the first start."""
        folder, account = FIRST_CAMERA.state, _account()
        if not folder.exists():
            folder.mkdir(STATE_MODE)
            os.chown(folder, account.pw_uid, account.pw_gid)

    def group(self) -> int:
        """Return the number of the group that may read the settings."""
        return _account().pw_gid

    def check(self, camera: InstalledCamera) -> bool:
        """Run `mask-patrol check` for `camera`; return whether it passes."""
        version = linked_release("current")
        return version is not None and check_release(version, camera, use_source=True)

    def start(self, camera: InstalledCamera) -> None:
        """Start the unit of `camera`, now and at each boot; raises UserError."""
        if systemctl("enable", "--quiet", camera.unit) or systemctl(
            "start", "--no-block", camera.unit
        ):
            raise UserError(f"systemd cannot start {camera.unit} (see above)")

    def wait_until_online(self, camera: InstalledCamera, within_s: float) -> str | None:
        """Return None once `camera` is online, or the problem after `within_s` seconds."""
        return wait_until_online({}, within_s, lambda: read_reports([camera]))

    def stop(self, camera: InstalledCamera) -> None:
        """Stop the unit of `camera`, now and at each boot."""
        systemctl("disable", "--quiet", "--now", camera.unit)
        # Otherwise systemd lists a unit that has failed until the next boot.
        subprocess.run(
            ["systemctl", "reset-failed", camera.unit], stderr=subprocess.DEVNULL, check=False
        )

    def remove_state(self, camera: InstalledCamera) -> None:
        """Delete the state directory of `camera`; raises UserError."""
        account = _account()
        # As the account that owns it: that account could lead root elsewhere by a link.
        command = ["rm", "-rf", "--", str(camera.state)]
        if subprocess.run(
            command, user=account.pw_uid, group=account.pw_gid, extra_groups=[], check=False
        ).returncode:
            raise UserError(f"{camera.state} cannot be deleted (see above)")


def _account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        raise UserError(
            f"there is no account {ACCOUNT}: install.sh of a bundle installs the service"
        ) from None
