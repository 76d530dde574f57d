"""The daemons on the same device: the live picture of each, the settings drawn on it, snapshots."""

from __future__ import annotations

import json
import logging
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from edge.common.errors import UserError
from edge.config.installed_camera import FIRST_CAMERA, InstalledCamera, further_cameras
from edge.config.settings import Settings, load_settings
from edge.daemon.camera_file import Drawing
from edge.daemon.preview_server import SettingsInUse, StoredList, preview_socket
from edge.events.snapshot import StoredSnapshot

log = logging.getLogger(__name__)

TIMEOUT_S = 3.0
CONNECT_RETRY_S = 0.05
#: An answer contains a description and a JPEG of one frame, and is far smaller than this limit.
MAX_ANSWER_BYTES = 4 * 1024 * 1024
UNREADABLE_ANSWER = "the daemon's answer cannot be read"


@dataclass(frozen=True)
class CameraView:
    """What the daemon's camera sees; the format is that of `edge.daemon.preview_server`.

    `picture` is a JPEG, or None when the daemon has no picture.
    """

    description: dict[str, Any]
    picture: bytes | None


@dataclass(frozen=True)
class ConfigStatus:
    """Whether the daemon uses the settings in its files.

    The states: `used`: it uses them. `waiting`: it is reading the files. `refused`: it refused
    them and continues with its previous settings; `why` is the reason. `other`: it uses other
    settings, because a file was edited and it was not asked to read it again. `away`: it does not
    answer (`why`), and will read the files when it starts.

    `drawing` holds the settings that the daemon uses, given with `used` and `other`. The caller can
    compare them with what it saved itself, because somebody else may have saved since.
    """

    state: Literal["used", "waiting", "refused", "other", "away"]
    why: str = ""
    drawing: Drawing | None = None


class LocalCamera:
    """Talks to a daemon through its UNIX socket; the daemon saves what is drawn. Thread-safe."""

    def __init__(self, settings: Settings, installed: InstalledCamera = FIRST_CAMERA) -> None:
        """Use the preview socket of `settings`, which are those of `installed` if it is installed.

        Raises UserError when the path of the socket is invalid.
        """
        #: The name and the title of the device.
        self.device, self.title = settings.device, settings.title
        self._camera, self._runtime = settings.camera, installed.runtime
        #: Whether the settings turn snapshots on.
        self.has_snapshots = settings.snapshot.enabled
        self._socket_path()

    def view(self) -> CameraView:
        """Return what the camera sees now; raises UserError when the daemon does not answer."""
        head, _, picture = self._request(b"look\n").partition(b"\n")
        try:
            description = json.loads(head)
        except ValueError:
            raise UserError(UNREADABLE_ANSWER) from None
        return CameraView(description, picture or None)

    def saved_drawing(self) -> tuple[Drawing, ConfigStatus]:
        """Return the drawing in the daemon's files, and whether the daemon uses it.

        Raises UserError when the daemon does not answer, or the settings file is invalid.
        """
        return _saved(self._ask(b"use\n"))

    def config_status(self) -> ConfigStatus:
        """Return whether the daemon uses the settings in its files.

        Raises UserError when the settings file is invalid.
        """
        try:
            answer = self._ask(b"use\n")
        except UserError as error:
            return ConfigStatus("away", str(error))
        return _status(answer)

    def save(self, drawing: Drawing) -> tuple[Drawing, ConfigStatus]:
        """Have the daemon save the drawing and read its files again.

        Returns the saved drawing, without None, and the present status. Raises UserError when the
        daemon does not answer, or when it refuses to save the drawing or cannot.
        """
        return _saved(self._ask(b"save " + msgspec.json.encode(drawing) + b"\n"))

    def snapshots(self) -> tuple[StoredSnapshot, ...]:
        """Return the stored snapshots, newest first.

        Raises UserError when the daemon does not answer, or when it stores no snapshots.
        """
        try:
            answer = msgspec.json.decode(self._request(b"snapshots\n"), type=StoredList)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise UserError(UNREADABLE_ANSWER) from None
        if answer.problem:
            raise UserError(answer.problem)
        return answer.snapshots

    def snapshot(self, name: str) -> bytes:
        """Return the JPEG of a snapshot; `name` consists of the characters of `snapshot.NAME`.

        Raises UserError when the daemon does not answer or does not have it.
        """
        head, _, picture = self._request(f"snapshot {name}\n".encode()).partition(b"\n")
        try:
            problem = json.loads(head).get("problem", "")
        except (ValueError, AttributeError):
            raise UserError(UNREADABLE_ANSWER) from None
        if problem:
            raise UserError(str(problem))
        return picture

    def _socket_path(self) -> Path:
        return preview_socket(self._camera, self._runtime)

    def _ask(self, command: bytes) -> SettingsInUse:
        try:
            return msgspec.json.decode(self._request(command), type=SettingsInUse)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise UserError(UNREADABLE_ANSWER) from None

    def _request(self, command: bytes) -> bytes:
        """Send `command` to the daemon and return its answer; raises UserError."""
        answer = bytearray()
        path = self._socket_path()
        try:
            with socket.socket(socket.AF_UNIX) as daemon:
                daemon.settimeout(TIMEOUT_S)
                _connect(daemon, path)
                daemon.sendall(command)
                while part := daemon.recv(65536):
                    answer += part
                    if len(answer) > MAX_ANSWER_BYTES:
                        raise UserError("the daemon's answer is too long")
        except OSError as error:
            raise UserError(
                f"the daemon does not answer at {path} ({error.strerror or error}):"
                " is it running on this device, with camera.preview = true?"
            ) from None
        return bytes(answer)


def local_cameras(
    settings: Settings, config: Path | None = None, root: Path = Path("/")
) -> dict[str, LocalCamera]:
    """Return the cameras of this device whose preview is on, by the names of their devices.

    These are the camera of `settings`, read from the file `config`, and the further cameras of the
    service below `root` if `config` is the settings file of its first one. A further camera whose
    settings are wrong is left out with a warning. Raises UserError when the path of the first
    camera's socket is invalid.
    """
    found = [LocalCamera(settings)] if settings.camera.preview else []
    if config == InstalledCamera(root=root).configuration:
        for camera in further_cameras(root):
            try:
                own = load_settings(camera.configuration)
                if own.camera.preview:
                    found.append(LocalCamera(own, camera))
            except UserError as error:
                log.warning("the Camera page leaves out %s: %s", camera.name, error)
    return {camera.device: camera for camera in found}


def _saved(answer: SettingsInUse) -> tuple[Drawing, ConfigStatus]:
    """Return the drawing in the daemon's files and the status; raises UserError without one."""
    if answer.saved is None:
        raise UserError(answer.problem)
    return answer.saved, _status(answer)


def _status(answer: SettingsInUse) -> ConfigStatus:
    """Return the status; raises UserError when the daemon's files cannot be read."""
    if answer.reloading:
        return ConfigStatus("waiting")
    if answer.refused:
        return ConfigStatus("refused", answer.refused)
    if answer.saved is None:
        raise UserError(answer.problem)
    return ConfigStatus("used" if answer.drawing == answer.saved else "other", "", answer.drawing)


def _connect(daemon: socket.socket, path: Path) -> None:
    """Connect, and retry while the queue of the listening socket is full.

    A full queue of a UNIX socket is reported at once; the timeout of the socket does not apply.
    """
    deadline_s = time.monotonic() + TIMEOUT_S
    while True:
        try:
            daemon.connect(str(path))
            return
        except BlockingIOError:
            if time.monotonic() > deadline_s:
                raise
        time.sleep(CONNECT_RETRY_S)
