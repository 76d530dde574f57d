"""The preview: shows the dashboard on this device what the camera sees. Off by default.

The preview is a server on a UNIX socket. Only programs on this device can connect, and only with
the rights of the socket file's owner or group. A client sends one line and receives one answer:

- `look`: the current view, as a line of JSON and a JPEG;
- `use`: the settings in force (`SettingsInUse`), as JSON;
- `save` and a `Drawing` as JSON: the same as `use`, after the drawing was saved and a reload of the
  configuration was requested;
- `snapshots`: the stored snapshots (`StoredList`), as JSON;
- `snapshot` and a name: a line of JSON, and the JPEG if the line has no `problem`.

Frames are encoded only on request.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import msgspec

from edge.camera.source import Frame
from edge.classification.unsure import UNSURE
from edge.common.errors import UserError
from edge.common.paths import runtime_directory, state_directory, user_path
from edge.common.stage_times import Quantiles
from edge.config.installed_camera import FIRST_CAMERA
from edge.config.settings import CameraSettings, Settings
from edge.daemon.camera_file import CameraFile, Drawing
from edge.daemon.controls import Controls
from edge.daemon.snapshot_store import SnapshotStore
from edge.events.alert_machine import as_fractions
from edge.events.snapshot import StoredSnapshot
from edge.tracking.track import Track

log = logging.getLogger(__name__)

SOCKET_NAME = "preview.sock"
#: Mode of the socket, for owner and group: a dashboard that runs as another user must be in the
#: group.
SOCKET_MODE = 0o660
#: The system's limit on the path of a socket is 108 bytes, with a null byte at the end.
MAX_PATH_BYTES = 100
#: Wider frames are scaled down to this width.
MAX_WIDTH_PX = 960
#: Quality of the JPEG, 0 to 100.
JPEG_QUALITY = 75
#: Largest request. A drawing with a few thousand excluded areas is smaller.
MAX_REQUEST_BYTES = 1 << 20
#: How many connections may wait to be accepted. The system refuses further connections, and their
#: clients must try again.
MAX_WAITING = 64
#: How long a client may take to send its request, and to receive the answer.
CLIENT_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class PersonInView:
    """A person in the current view.

    `box` is x, y, width, height as fractions of the frame. Without evidence for a label, `score` is
    None, and `label` is `edge.classification.unsure.UNSURE` if the face was classified, or empty.
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
    """The settings that the Camera page can change: those in force, and those in the files."""

    #: Whether a reload is requested or in progress.
    reloading: bool
    #: Why the last reload was refused; empty when it was applied.
    refused: str
    drawing: Drawing
    #: None if the files cannot be read, or if saving has failed; `problem` is then the reason.
    saved: Drawing | None
    problem: str = ""


class StoredList(msgspec.Struct, frozen=True, kw_only=True):
    """The stored snapshots, newest first; without them, `problem` is the reason."""

    snapshots: tuple[StoredSnapshot, ...] = ()
    problem: str = ""


class PreviewSettings:
    """The settings that the Camera page can change. Any thread may use it."""

    def __init__(
        self, controls: Controls, current: Callable[[], Settings], camera_file: CameraFile
    ) -> None:
        """`current` returns the settings of the pipeline; drawings are saved to `camera_file`."""
        self._controls = controls
        self._current = current
        self._camera_file = camera_file

    def in_use(self) -> SettingsInUse:
        """Return the settings in force now, and those in the files."""
        return self._answer(lambda: self._camera_file.read().settings)

    def save(self, request: bytes) -> SettingsInUse:
        """Save the drawing in `request`, a `Drawing` as JSON, and request a reload."""
        return self._answer(lambda: self._save(request))

    def _save(self, request: bytes) -> Settings:
        try:
            drawing = msgspec.json.decode(request, type=Drawing)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UserError(f"the drawing cannot be read: {error}") from None
        saved = self._camera_file.save(drawing)
        self._controls.reload_requested.set()
        return saved

    def _answer(self, read: Callable[[], Settings]) -> SettingsInUse:
        saved, problem = None, ""
        try:
            saved = Drawing.of(read())
        except UserError as error:
            problem = str(error)
        # The flag is read first: the settings must not be older than it.
        reloading = self._controls.reloading
        refusal, drawing = self._controls.refusal, Drawing.of(self._current())
        return SettingsInUse(
            reloading=reloading, refused=refusal, drawing=drawing, saved=saved, problem=problem
        )


def make_preview(
    frame: Frame, tracks: Iterable[Track], quantiles: Mapping[str, Quantiles]
) -> Preview:
    """Return the preview of `frame` with the people of `tracks`."""
    return Preview(
        frame,
        [
            PersonInView(
                track.number, as_fractions(track.box_px, frame.size_px), *_label_and_score(track)
            )
            for track in tracks
        ],
        {stage: (q.p50_ms, q.p95_ms) for stage, q in quantiles.items()},
    )


def _label_and_score(track: Track) -> tuple[str, float | None]:
    if track.labels:
        label = track.label()
        return label, track.score((label,))
    return (UNSURE if math.isfinite(track.classified_s) else ""), None


def socket_path(camera: CameraSettings) -> Path:
    """Return where the daemon creates the socket; raises UserError for an unusable path."""
    if camera.preview_socket:
        path = user_path(camera.preview_socket)
    else:
        path = (runtime_directory() or state_directory()) / SOCKET_NAME
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise UserError(f"`camera.preview_socket`: {path} is longer than the system allows")
    return path


def preview_socket(camera: CameraSettings, runtime: Path = FIRST_CAMERA.runtime) -> Path:
    """Return where a dashboard finds the socket: that of the installed service, if it exists.

    `runtime` is the RuntimeDirectory of the service. Raises UserError for an unusable path.
    """
    service = runtime / SOCKET_NAME
    if not camera.preview_socket and service.exists():
        return service
    return socket_path(camera)


class PreviewServer:
    """Answers one client at a time, in its own thread, inside its context."""

    def __init__(
        self,
        path: Path,
        look: Callable[[], Preview | None],
        settings: PreviewSettings,
        snapshots: SnapshotStore,
    ) -> None:
        """`look` returns the current view, None when there is none. It and the methods of
        `settings` and `snapshots` are called in the server's thread.

        Raises UserError when the socket cannot be created.
        """
        self._path = path
        self._look = look
        self._settings = settings
        self._snapshots = snapshots
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
        request, _, argument = _receive_line(client).partition(b" ")
        if request == b"save":
            client.sendall(msgspec.json.encode(self._settings.save(argument)))
        elif request == b"use":
            client.sendall(msgspec.json.encode(self._settings.in_use()))
        elif request == b"look":
            preview = self._look()
            client.sendall(b'{"nothing": true}\n' if preview is None else encode_preview(preview))
        elif request == b"snapshots":
            client.sendall(msgspec.json.encode(self._stored()))
        elif request == b"snapshot":
            client.sendall(self._snapshot(argument.decode("ascii", "replace")))

    def _stored(self) -> StoredList:
        try:
            return StoredList(snapshots=tuple(self._snapshots.stored()))
        except UserError as error:
            return StoredList(problem=str(error))

    def _snapshot(self, name: str) -> bytes:
        try:
            return b"{}\n" + self._snapshots.read(name)
        except UserError as error:
            return msgspec.json.encode({"problem": str(error)}) + b"\n"


def _receive_line(client: socket.socket) -> bytes:
    """Return the request without its newline; raises OSError if it is too long or too slow."""
    request = bytearray()
    deadline_s = time.monotonic() + CLIENT_TIMEOUT_S
    while not request.endswith(b"\n") and (part := client.recv(65536)):
        request += part
        if len(request) > MAX_REQUEST_BYTES or time.monotonic() > deadline_s:
            raise OSError("the request is too long or too slow")
    return bytes(request).strip()


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
