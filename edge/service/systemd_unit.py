"""The state of the systemd units that run the daemons, and the installed release."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from edge.common.errors import UserError

DASHBOARD_UNIT = "mask-patrol-dashboard.service"
#: The folder of the releases. Each release has its own folder; the link `current` points to the
#: one that runs, the link `previous` to the one before it.
RELEASES = Path("/opt/mask-patrol")
PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "NRestarts",
    "MainPID",
    "ActiveEnterTimestampMonotonic",
    "UnitFileState",
)
SYSTEMCTL_TIMEOUT_S = 10.0
SECONDS_PER_MICROSECOND = 1e-6


@dataclass(frozen=True)
class ServiceState:
    """The state of the unit.

    `state` is systemd's ActiveState, `detail` its SubState (such as `auto-restart`), and `result`
    the reason of a failure. `restarts` counts automatic restarts since the last manual start.
    `since_s` is the number of seconds since the unit became active, None if it never did. `process`
    is the PID, 0 if there is no process. `enabled` says whether the unit starts at boot.
    """

    installed: bool
    state: str
    detail: str
    result: str
    restarts: int
    since_s: float | None
    process: int
    enabled: bool = False

    @property
    def failed(self) -> bool:
        """Whether the process ended by itself, and is down or about to be restarted."""
        return self.state == "failed" or self.detail == "auto-restart"

    @property
    def running(self) -> bool:
        """Whether the process has reported that it is ready, and has not ended."""
        return self.state in ("active", "reloading")

    @property
    def turned_off(self) -> bool:
        """Whether somebody has stopped and disabled the unit, or nobody has enabled it yet."""
        return self.installed and self.state == "inactive" and not self.enabled


def service_state(unit: str) -> ServiceState | None:
    """Return the state of `unit`, or None if systemd does not run or does not reply.

    Needs no privileges.
    """
    if shutil.which("systemctl") is None:
        return None
    command = ["systemctl", "show", unit, *(f"--property={name}" for name in PROPERTIES)]
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=SYSTEMCTL_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if result.returncode:
        return None
    return parse_state(result.stdout, time.monotonic())


def parse_state(text: str, now_s: float) -> ServiceState | None:
    """Parse the output of `systemctl show`, read at `now_s` of the monotonic clock.

    Returns None if `text` is not such output.
    """
    properties = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    try:
        active_since_s = (
            int(properties["ActiveEnterTimestampMonotonic"] or 0) * SECONDS_PER_MICROSECOND
        )
        return ServiceState(
            properties["LoadState"] == "loaded",
            properties["ActiveState"],
            properties["SubState"],
            properties["Result"],
            int(properties["NRestarts"] or 0),
            now_s - active_since_s if active_since_s else None,
            int(properties["MainPID"] or 0),
            properties.get("UnitFileState") == "enabled",
        )
    except (KeyError, ValueError):
        return None


def linked_release(name: str, releases: Path = RELEASES) -> str | None:
    """Return the version that the link `current` or `previous` points to, None without a link."""
    link = releases / name
    return link.readlink().name if link.is_symlink() else None


def systemctl(*arguments: str) -> int:
    """Run systemctl, whose output is the user's, and return its exit code.

    Raises UserError if it cannot be run.
    """
    try:
        return subprocess.run(["systemctl", *arguments], check=False).returncode
    except OSError as error:
        raise UserError(f"cannot run systemctl: {error.strerror}") from None
