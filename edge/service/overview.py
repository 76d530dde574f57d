"""`mask-patrol status` of a device with several cameras: one line for each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from edge.common.errors import UserError, printable
from edge.config.installed_camera import FIRST_CAMERA, InstalledCamera
from edge.service.online import find_problem
from edge.service.status import (
    DeviceReport,
    device_name,
    duration,
    read_report,
    release_line,
    report_without_status,
)


@dataclass(frozen=True)
class CameraState:
    """A camera, its report, and why the status file cannot be read, if that is so."""

    camera: InstalledCamera
    report: DeviceReport
    unreadable: str = ""

    @property
    def turned_off(self) -> bool:
        """Whether the camera is stopped on purpose."""
        return self.report.service is not None and self.report.service.turned_off

    @property
    def has_problem(self) -> bool:
        """Whether the camera should work and does not."""
        return not self.turned_off and not self.report.healthy


def read_state(camera: InstalledCamera) -> CameraState:
    """Return the state of `camera`, also if its status file cannot be read."""
    try:
        return CameraState(camera, read_report(camera=camera))
    except UserError as error:
        return CameraState(camera, report_without_status(camera), str(error))


def overview_lines(states: Sequence[CameraState]) -> Iterator[str]:
    """Yield the lines of the screen: the release, and each camera with its state."""
    width = max(len(state.camera.name) for state in states)
    lines = [f"{release_line(states[0].report)}, {len(states)} cameras"]
    if states[0].report.root_read_only:
        lines.append("root: read-only: changes are lost at the next boot")
    for state in states:
        word, text = _word_and_text(state)
        lines.append(f"{state.camera.name:<{width}}  {word:<7}  {text}")
    lines.append(f"mask-patrol status {states[-1].camera.name} shows all about one of them.")
    return map(printable, lines)


def overview_json(states: Sequence[CameraState]) -> str:
    """Return the reports as a JSON object on one line.

    Its keys are those of the first camera, as without further cameras, and in addition `cameras`,
    which contains the same object for each further camera by its name. `well` is about them all.
    """
    reports = {state.camera.name: state.report for state in states}
    first = reports.pop(FIRST_CAMERA.name, None) or report_without_status(FIRST_CAMERA)
    return json.dumps(
        {
            **asdict(first),
            "well": not any(state.has_problem for state in states),
            "cameras": {name: _as_object(report) for name, report in reports.items()},
        }
    )


def _as_object(report: DeviceReport) -> Mapping[str, object]:
    return {**asdict(report), "well": report.healthy}


def _word_and_text(state: CameraState) -> tuple[str, str]:
    report = state.report
    if state.turned_off:
        return "off", f"sudo systemctl enable --now {state.camera.service} turns it on"
    name = f"{device_name(report.status)}: " if report.status else ""
    if state.has_problem:
        problem = state.unreadable or find_problem(None, report) or "it has a problem"
        return "PROBLEM", f"{name}{problem}"
    return "ok", f"{name}{_figures(report)}"


def _figures(report: DeviceReport) -> str:
    """Return how long a healthy camera has run, its frame rate, and the events in its outbox."""
    health = (report.status or {}).get("health", {})
    parts = [f"running for {duration(report.service.since_s)}"] if report.service else []
    if isinstance(health.get("fps"), int | float):
        parts.append(f"{health['fps']:.1f} frames/s")
    if isinstance(health.get("outbox_depth"), int):
        parts.append(f"{health['outbox_depth']} events queued")
    return ", ".join(parts)
