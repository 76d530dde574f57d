"""The systemd service that runs the daemon on a device, and the version that it runs."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

UNIT, DASHBOARD_UNIT = "mask-patrol.service", "mask-patrol-dashboard.service"
#: Where versions lie, each in a folder; `current` is a link to the one that runs.
RELEASES = Path("/opt/mask-patrol")
#: The RuntimeDirectory of the daemon, which holds its status file.
RUNTIME = Path("/run/mask-patrol")
CONFIG = Path("/etc/mask-patrol/mask-patrol.toml")
PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "NRestarts",
    "MainPID",
    "ActiveEnterTimestampMonotonic",
)
ASK_S = 10.0
MICRO = 1e-6


@dataclass(frozen=True)
class ServiceState:
    """What systemd says of the unit.

    `state` as in `systemctl is-active`, `detail` finer (`auto-restart`), `result` why it failed;
    `restarts` since it was started by hand; `since_s` seconds in this state, None if it never ran;
    `process` its number, 0 when there is none.
    """

    installed: bool
    state: str
    detail: str
    result: str
    restarts: int
    since_s: float | None
    process: int

    @property
    def fell(self) -> bool:
        """Whether it ended by itself, and is down or about to be started again."""
        return self.state == "failed" or self.detail == "auto-restart"

    @property
    def running(self) -> bool:
        """Whether it said that it is ready and has not ended."""
        return self.state in ("active", "reloading")


def service_state(unit: str = UNIT) -> ServiceState | None:
    """Ask systemd, which anybody may; None where it does not run or does not answer."""
    if shutil.which("systemctl") is None:
        return None
    command = ["systemctl", "show", unit, *(f"--property={name}" for name in PROPERTIES)]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=ASK_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if result.returncode:
        return None
    return parsed(result.stdout, time.monotonic())


def parsed(text: str, now_s: float) -> ServiceState | None:
    """`text` of `systemctl show` at `now_s` of the monotonic clock; None if it is none."""
    told = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    try:
        entered_s = int(told["ActiveEnterTimestampMonotonic"] or 0) * MICRO
        return ServiceState(
            told["LoadState"] == "loaded",
            told["ActiveState"],
            told["SubState"],
            told["Result"],
            int(told["NRestarts"] or 0),
            now_s - entered_s if entered_s else None,
            int(told["MainPID"] or 0),
        )
    except (KeyError, ValueError):
        return None


def release(name: str, releases: Path = RELEASES) -> str | None:
    """The version that `current` or `previous` is; None when there is none."""
    link = releases / name
    return link.readlink().name if link.is_symlink() else None
