"""What the camera sees, for the dashboard's Camera page on this very machine; off by default.

A UNIX socket, which only this device's own users can open, and only those whom the rights of
the file let in. Whoever connects sends one line and is answered once: `look` with what is seen
now (a line of JSON and a JPEG), `use` with what the daemon works with
(`SettingsInUse`), `reload` with the
same after asking the daemon to read its configuration anew. Nothing is encoded, or kept, unless
somebody looks.
"""

from __future__ import annotations

import contextlib
import json
import logging
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
from edge.common.errors import UserError
from edge.common.paths import runtime_directory, state_directory, user_path
from edge.common.stage_times import Quantiles
from edge.config.settings import CameraSettings, Settings
from edge.daemon.controls import Controls
from edge.events.alert_machine import as_fractions
from edge.tracking.track import Track

log = logging.getLogger(__name__)

NAME = "preview.sock"
#: The runtime directory of the installed service.
SERVICE = Path("/run/mask-patrol")
#: Owner and group: a dashboard that runs as another user must share the group.
RIGHTS = 0o660
WIDTH_PX, QUALITY = 960, 75
MAX_REQUEST_BYTES = 64
#: Pages that look at once; who comes then is turned away by the system, and must ask again.
MAX_WAITING = 64
PATIENCE_S = 2.0


@dataclass(frozen=True)
class Seen:
    """A person in view: `box` is x, y, width, height as fractions of the frame; `label` is
    empty, and `score` None, while it is open."""

    number: int
    box: tuple[float, float, float, float]
    label: str
    score: float | None


@dataclass(frozen=True)
class Preview:
    """What is seen now: the frame, who is in it, and how long each stage took (p50, p95, ms)."""

    frame: Frame
    people: Sequence[Seen]
    stages_ms: dict[str, tuple[float, float]]


class SettingsInUse(msgspec.Struct, frozen=True, kw_only=True):
    """What the daemon works with just now: the zone's corners (fractions of the picture) and the
    smallest face (as a share of its width)."""

    #: Whether it is about to read its configuration, or taking it up.
    reloading: bool
    #: Why it did not take what it read last; empty when it did.
    refused: str
    zone: tuple[tuple[float, float], ...]
    min_face: float


def in_use(controls: Controls, holds: Callable[[], Settings]) -> SettingsInUse:
    """As of now; `holds` gives the settings that the frames are looked at with."""
    reloading = controls.reloading  # asked first: what follows is no older
    refused, settings = controls.refused, holds()
    return SettingsInUse(
        reloading=reloading,
        refused=refused,
        zone=settings.camera.zone,
        min_face=settings.detector.min_face,
    )


def preview_of(
    frame: Frame, tracks: Iterable[Track], quantiles: Mapping[str, Quantiles]
) -> Preview:
    """Who is in `frame`, as the tracks say."""
    return Preview(
        frame,
        [
            Seen(
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
    """Where the daemon puts the socket; raises UserError for a path that cannot be one."""
    if camera.preview_socket:
        path = user_path(camera.preview_socket)
    else:
        path = (runtime_directory() or state_directory()) / NAME
    if len(os.fsencode(path)) > 100:
        raise UserError(f"`camera.preview_socket`: {path} is longer than the system allows")
    return path


def preview_socket(camera: CameraSettings) -> Path:
    """Where a dashboard finds it: that of the service, if there is one; raises UserError."""
    if not camera.preview_socket and (SERVICE / NAME).exists():
        return SERVICE / NAME
    return socket_path(camera)


class PreviewServer:
    """Answers as long as `with` lasts, one at a time, from a thread of its own."""

    def __init__(
        self,
        path: Path,
        look: Callable[[], Preview | None],
        use: Callable[[], SettingsInUse],
        reload: Callable[[], None],
    ) -> None:
        """`look` gives what is seen now, None when nothing is; `use` what is worked with;
        `reload` asks for that.

        Raises UserError when the socket cannot be made.
        """
        self._path = path
        self._look = look
        self._use = use
        self._reload = reload
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_socket():  # of a daemon that was killed
                path.unlink()
            self._listener = socket.socket(socket.AF_UNIX)
            before = os.umask(0o777 & ~RIGHTS)
            try:
                self._listener.bind(str(path))
            finally:
                os.umask(before)
            self._listener.listen(MAX_WAITING)
        except OSError as error:
            raise UserError(f"cannot make the socket {path}: {error.strerror}") from None
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
                visitor, _ = self._listener.accept()
            except OSError:
                return
            with visitor, contextlib.suppress(OSError):
                visitor.settimeout(PATIENCE_S)
                try:
                    self._answer(visitor)
                except cv2.error as error:
                    log.warning("no preview: %s", error)

    def _answer(self, visitor: socket.socket) -> None:
        asked = visitor.recv(MAX_REQUEST_BYTES).strip()
        if asked == b"reload":
            log.info("the dashboard asks for the configuration to be read anew")
            self._reload()
            visitor.sendall(msgspec.json.encode(self._use()))
        elif asked == b"use":
            visitor.sendall(msgspec.json.encode(self._use()))
        elif asked == b"look":
            seen = self._look()
            if seen is None:
                visitor.sendall(b'{"nothing": true}\n')
            else:
                visitor.sendall(_packed(seen))


def _packed(seen: Preview) -> bytes:
    height, width = seen.frame.size_px
    picture = seen.frame.image_bgr
    if width > WIDTH_PX:
        size = (WIDTH_PX, max(1, round(height * WIDTH_PX / width)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype("uint8")
    _, code = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    body: dict[str, Any] = {
        "width": width,
        "height": height,
        "at_s": round(seen.frame.captured_at_s, 3),
        "people": [
            {
                "number": person.number,
                "box": [round(v, 4) for v in person.box],
                "label": person.label,
                "score": None if person.score is None else round(person.score, 3),
            }
            for person in seen.people
        ],
        "stages_ms": seen.stages_ms,
        "told_s": round(time.monotonic(), 3),
    }
    return json.dumps(body).encode() + b"\n" + code.tobytes()
