"""Which of the cameras of this device a request is about.

The parameter `camera` of an address names its device. It is needed only if there are several.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request

from edge.dashboard.local_camera import LocalCamera
from edge.dashboard.pages.page_context import page_context


def chosen_camera(
    request: Request, is_preferred: Callable[[LocalCamera], bool] = lambda _: True
) -> LocalCamera | None:
    """Return the camera that the request names, or else the first one that is preferred.

    Without a preferred one it is the first of all, and None if this device has none. Raises
    HTTPException if there is no camera of that name.
    """
    cameras = page_context(request).local_cameras
    name = request.query_params.get("camera")
    if name is not None:
        if name not in cameras:
            raise HTTPException(404)
        return cameras[name]
    preferred = [camera for camera in cameras.values() if is_preferred(camera)]
    return next(iter(preferred or cameras.values()), None)


def camera_query(request: Request, camera: LocalCamera) -> str:
    """Return the part of an address that names `camera`, empty if there is only one."""
    if len(page_context(request).local_cameras) < 2:
        return ""
    return urlencode({"camera": camera.device})
