"""The preview: shows the dashboard on this device what the camera sees. Off by default.

The preview is a server on a UNIX socket. Only programs on this device can connect, and only with
the rights of the socket file's owner or group. A client sends one line and receives one answer:

- `look`: the current view, as a line of JSON and a JPEG;
- `use`: the settings in force (`SettingsInUse`), as JSON;
- `reload`: the same as `use`, after a reload of the configuration was requested.

Frames are encoded only on request.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import msgspec

from edge.camera.source import Frame
from edge.common.errors import UserError
from edge.common.paths import runtime_directory, state_directory, user_path
from edge.common.stage_times import Quantiles
from edge.config.settings import CameraSettings, Settings
from edge.daemon.controls import Controls
from edge.events.alert_machine import as_fractions
from edge.tracking.track import Track

log = logging.getLogger(__name__)

SOCKET_NAME = "preview.sock"
#: The RuntimeDirectory of the installed service.
SERVICE_RUNTIME_DIRECTORY = Path("/run/mask-patrol")
#: Mode of the socket, for owner and group: a dashboard that runs as another user must be in the
#: group.
SOCKET_MODE = 0o660
#: The system's limit on the path of a socket is 108 bytes, with a null byte at the end.
MAX_PATH_BYTES = 100
#: Wider frames are scaled down to this width.
MAX_WIDTH_PX = 960
#: Quality of the JPEG, 0 to 100.
JPEG_QUALITY = 75
MAX_REQUEST_BYTES = 64
#: How many connections may wait to be accepted. The system refuses further connections, and their
#: clients must try again.
MAX_WAITING = 64
#: How long a client may take to send its request, and to receive the answer.
CLIENT_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class PersonInView:
    """A person in the current view.

    `box` is x, y, width, height as fractions of the frame. `label` is empty and `score` None
    while there is no evidence for a label.
    """

    number: int
    box: tuple[float, float, float, float]
    label: str
    score: float | None


@dataclass(frozen=True)
class Preview:
    """The newest frame, the people in it, and the duration of each stage (p50, p95, in ms)."""

    frame: Frame
    people: Sequence[PersonInView]
    stages_ms: dict[str, tuple[float, float]]


class SettingsInUse(msgspec.Struct, frozen=True, kw_only=True):
    """The settings in force that the Camera page can change: the corners of the zone and the
    excluded rectangles (fractions of the frame), and the smallest face (as a share of the frame's
    width)."""

    #: Whether a reload is requested or in progress.
    reloading: bool
    #: Why the last reload was refused; empty when it was applied.
    refused: str
    zone: tuple[tuple[float, float], ...]
    excluded: tuple[tuple[float, float, float, float], ...]
    min_face: float


def settings_in_use(controls: Controls, current: Callable[[], Settings]) -> SettingsInUse:
    """Return the settings in force now; `current` returns the settings of the pipeline."""
    reloading = controls.reloading  # read first: the settings must not be older than this flag
    refusal, settings = controls.refusal, current()
    return SettingsInUse(
        reloading=reloading,
        refused=refusal,
        zone=settings.camera.zone,
        excluded=settings.camera.excluded,
        min_face=settings.detector.min_face,
    )


def make_preview(
    frame: Frame, tracks: Iterable[Track], quantiles: Mapping[str, Quantiles]
) -> Preview:
    """Return the preview of `frame` with the people of `tracks`."""
    return Preview(
        frame,
        [
            PersonInView(
                track.number,
                as_fractions(track.box_px, frame.size_px),
                track.label() if track.labels else "",
                track.score((track.label(),)) if track.labels else None,
            )
            for track in tracks
        ],
        {stage: (q.p50_ms, q.p95_ms) for stage, q in quantiles.items()},
    )


def socket_path(camera: CameraSettings) -> Path:
    """Return where the daemon creates the socket; raises UserError for an unusable path."""
    if camera.preview_socket:
        path = user_path(camera.preview_socket)
    else:
        path = (runtime_directory() or state_directory()) / SOCKET_NAME
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise UserError(f"`camera.preview_socket`: {path} is longer than the system allows")
    return path


def preview_socket(camera: CameraSettings) -> Path:
    """Return where a dashboard finds the socket: that of the installed service, if it exists.

    Raises UserError for an unusable path.
    """
    service = SERVICE_RUNTIME_DIRECTORY / SOCKET_NAME
    if not camera.preview_socket and service.exists():
        return service
    return socket_path(camera)


class PreviewServer:
    """Answers one client at a time, in its own thread, inside its context."""

    def __init__(
        self,
        path: Path,
        look: Callable[[], Preview | None],
        use: Callable[[], SettingsInUse],
        reload: Callable[[], None],
    ) -> None:
        """`look` returns the current view, None when there is none; `use` returns the settings
        in force; `reload` requests a reload. All three are called in the server's thread.

        Raises UserError when the socket cannot be created.
        """
        self._path = path
        self._look = look
        self._use = use
        self._reload = reload
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_socket():  # the socket of a daemon that was killed
                path.unlink()
            self._listener = socket.socket(socket.AF_UNIX)
            umask = os.umask(0o777 & ~SOCKET_MODE)
            try:
                self._listener.bind(str(path))
            finally:
                os.umask(umask)
            self._listener.listen(MAX_WAITING)
        except OSError as error:
            raise UserError(f"cannot create the socket {path}: {error.strerror}") from None
        self._thread = threading.Thread(target=self._serve, name="preview", daemon=True)

    def __enter__(self) -> PreviewServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                client.settimeout(CLIENT_TIMEOUT_S)
                try:
                    self._answer(client)
                except cv2.error as error:
                    log.warning("no preview: %s", error)

    def _answer(self, client: socket.socket) -> None:
        request = client.recv(MAX_REQUEST_BYTES).strip()
        if request == b"reload":
            log.info("the dashboard requests a reload of the configuration")
            self._reload()
            client.sendall(msgspec.json.encode(self._use()))
        elif request == b"use":
            client.sendall(msgspec.json.encode(self._use()))
        elif request == b"look":
            preview = self._look()
            client.sendall(b'{"nothing": true}\n' if preview is None else encode_preview(preview))


def encode_preview(preview: Preview) -> bytes:
    """Return the answer to `look`: a line of JSON, then the frame as a JPEG."""
    height, width = preview.frame.size_px
    image_bgr = preview.frame.image_bgr
    if width > MAX_WIDTH_PX:
        size = (MAX_WIDTH_PX, max(1, round(height * MAX_WIDTH_PX / width)))
        image_bgr = cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA).astype("uint8")
    _, jpeg = cv2.imencode(".jpg", image_bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    body: dict[str, Any] = {
        "width": width,
        "height": height,
        "at_s": round(preview.frame.captured_at_s, 3),
        "people": [
            {
                "number": person.number,
                "box": [round(v, 4) for v in person.box],
                "label": person.label,
                "score": None if person.score is None else round(person.score, 3),
            }
            for person in preview.people
        ],
        "stages_ms": preview.stages_ms,
    }
    return json.dumps(body).encode() + b"\n" + jpeg.tobytes()
