"""Whether the cameras of the service are online, and waiting until they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from edge.common.errors import UserError
from edge.service.status import DeviceReport, screen_lines

#: How long a camera must be online without interruption before it counts as online.
STEADY_S = 5.0
POLL_S = 0.5


def wait_until_online(
    before: Mapping[str, DeviceReport],
    within_s: float,
    read: Callable[[], Mapping[str, DeviceReport]],
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> str | None:
    """Wait until all restarted cameras are online and stay so for STEADY_S.

    Returns None if this happens within `within_s` seconds, else the problems. `read` returns the
    reports by the names of the cameras.

    `before` are the reports before the restart: the process of a camera must differ from that in
    `before`, and a broker, a camera, or an outbox with a problem in `before` may still have it.
    """
    until_s = clock() + within_s
    online_since_s: float | None = None
    processes: dict[str, int] = {}
    problems: dict[str, str] = {}
    crashes: dict[str, str] = {}
    text = "it does not run"
    while clock() < until_s:
        try:
            reports = read()
        except UserError as error:  # the file may be incomplete, or from the old process
            online_since_s, text = None, str(error)
            wait(POLL_S)
            continue
        problems = _problems(before, reports)
        # Kept, because the next attempt reports only "starting".
        crashes |= {name: text for name, text in problems.items() if _has_failed(reports[name])}
        text = _describe({**problems, **crashes}, len(reports))
        now = {name: r.service.process if r.service else 0 for name, r in reports.items()}
        if problems or now != processes:
            online_since_s, processes = None, now
        if not problems:
            online_since_s = clock() if online_since_s is None else online_since_s
            if clock() - online_since_s >= STEADY_S:
                return None
        wait(POLL_S)
    return text or "it does not stay online"


def _problems(
    before: Mapping[str, DeviceReport], reports: Mapping[str, DeviceReport]
) -> dict[str, str]:
    found = {name: find_problem(before.get(name), report) for name, report in reports.items()}
    return {name: problem for name, problem in found.items() if problem}


def _has_failed(report: DeviceReport) -> bool:
    return report.service is not None and report.service.failed


def _describe(problems: Mapping[str, str], cameras: int) -> str:
    """Return the problems as one text, with the name of each camera if there are several."""
    if cameras == 1:
        return "".join(problems.values())
    return "; ".join(f"{name}: {problem}" for name, problem in problems.items())


def find_problem(before: DeviceReport | None, report: DeviceReport) -> str | None:
    """Return why the service is not online according to `report`; None if it is online."""
    service, status = report.service, report.status
    if service is None:
        return "systemd does not reply"
    if not service.running or status is None:
        row = next(line for line in screen_lines(report) if line.startswith("service"))
        return row.split(None, 1)[1]
    if (
        before is not None
        and before.service is not None
        and before.service.process == service.process
    ):
        return "the old process still runs"
    if status["pid"] != service.process or not report.fresh:
        return "it has not written its status"
    return _status_problem(status, _problems_before(before))


def _problems_before(before: DeviceReport | None) -> set[str]:
    """Return those of `broker`, `outbox`, and `camera` that had a problem before the switch."""
    if before is None or before.status is None:
        return set()
    health = before.status["health"]
    healthy = {
        "broker": health.get("connected", True),
        "outbox": health.get("outbox_on_disk", True),
        "camera": health.get("camera", "ok") == "ok",
    }
    return {part for part, ok in healthy.items() if not ok}


def _status_problem(status: dict[str, Any], ignored: set[str]) -> str | None:
    """Return the problem that the daemon reports in its status; skip the parts in `ignored`.

    The status may be that of another version, so only the keys that are needed must exist.
    """
    health = status["health"]
    if "camera" not in health:
        return "its status has the format of another version and cannot be evaluated"
    if "broker" not in ignored and not health.get("connected", False):
        failure = status.get("broker_failure") or "connecting"
        return f"it is not connected to the broker: {failure}"
    if "outbox" not in ignored and not health.get("outbox_on_disk", True):
        return "its outbox is not on the disk"
    if "camera" not in ignored and health["camera"] != "ok":
        warnings = health.get("warnings")
        text = ", ".join(map(str, warnings)) if isinstance(warnings, list) else ""
        return f"its camera is {health['camera']}: {text or 'waiting'}"
    return None
