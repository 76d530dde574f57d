"""Which cameras the service on this device has, and which of them are in use."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from edge.common.errors import UsageError
from edge.config.installed_camera import FIRST_NAME, InstalledCamera, further_cameras
from edge.service.status import DeviceReport, read_report
from edge.service.systemd_unit import service_state


def installed_cameras(root: Path = Path("/")) -> list[InstalledCamera]:
    """Return all cameras; the first one is left out if only further ones are used."""
    first, further = InstalledCamera(root=root), further_cameras(root)
    return further if further and is_turned_off(first) else [first, *further]


def cameras_in_use(root: Path = Path("/")) -> list[InstalledCamera]:
    """Return the cameras that an update restarts: all but those that were turned off.

    A single camera is always in use.
    """
    cameras = installed_cameras(root)
    if len(cameras) == 1 and cameras[0].is_first:
        return cameras
    return [camera for camera in cameras if not is_turned_off(camera)]


def is_turned_off(camera: InstalledCamera) -> bool:
    """Return whether somebody has stopped and disabled the unit of `camera`."""
    state = service_state(camera.unit)
    return state is not None and state.turned_off


def find_camera(name: str, root: Path = Path("/")) -> InstalledCamera:
    """Return the camera `name`; raises UsageError if there is none."""
    if name == FIRST_NAME:
        return InstalledCamera(root=root)
    further = {camera.name: camera for camera in further_cameras(root)}
    if name not in further:
        names = ", ".join([FIRST_NAME, *further])
        raise UsageError(f"there is no camera {name}; this device has: {names}")
    return further[name]


def read_reports(cameras: Iterable[InstalledCamera]) -> dict[str, DeviceReport]:
    """Return the reports of `cameras` by their names; raises UserError if one cannot be read."""
    return {camera.name: read_report(camera=camera) for camera in cameras}
