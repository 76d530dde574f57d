"""The daemon on the same device: its live picture, and its configuration file."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import tomlkit
from tomlkit.exceptions import TOMLKitError

from edge.common.errors import UserError
from edge.config.settings import Settings, load_settings
from edge.daemon.preview_server import SettingsInUse, preview_socket
from edge.tracking.zone import Zone

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


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that the Camera page draws, as fractions of the picture: the corners of the zone
    (x, y), the excluded rectangles (x, y, width, height), and the width of the smallest face.

    Where a value is None, the setting in the file stays unchanged.
    """

    zone: tuple[tuple[float, float], ...]
    excluded: tuple[tuple[float, float, float, float], ...] | None = None
    min_face: float | None = None

    @classmethod
    def of(cls, settings: Settings) -> Drawing:
        """Return the drawing of `settings`."""
        camera = settings.camera
        return cls(zone=camera.zone, excluded=camera.excluded, min_face=settings.detector.min_face)


@dataclass(frozen=True)
class ConfigStatus:
    """Whether the daemon uses the settings in the configuration file.

    The states: `used`: it uses them. `waiting`: it is reading the file. `refused`: it refused
    them and continues with its previous settings; `why` is the reason. `other`: it uses other
    settings, because it reads another file or was not asked to read this one again. `away`: it
    does not answer (`why`), and will read the file when it starts.

    `drawing` holds the settings that the daemon uses, given with `used` and `other`. The caller can
    compare them with what it saved itself, because somebody else may have saved the file since.
    """

    state: Literal["used", "waiting", "refused", "other", "away"]
    why: str = ""
    drawing: Drawing | None = None


class LocalCamera:
    """Talks to the daemon through its UNIX socket and edits its configuration. Thread-safe."""

    def __init__(self, settings: Settings, config: Path | None) -> None:
        """Use the preview socket of `settings`, and save to the file `config`.

        Without `config` nothing can be saved. Raises UserError when the path of the socket is
        invalid.
        """
        self._camera = settings.camera
        preview_socket(self._camera)
        self._config = config
        self._lock = threading.Lock()

    def view(self) -> CameraView:
        """Return what the camera sees now; raises UserError when the daemon does not answer."""
        head, _, picture = self._request(b"look\n").partition(b"\n")
        try:
            description = json.loads(head)
        except ValueError:
            raise UserError(UNREADABLE_ANSWER) from None
        return CameraView(description, picture or None)

    def saved_settings(self) -> dict[str, Any]:
        """Return the drawing in the configuration file, and whether it can be saved.

        Raises UserError when the file is invalid.
        """
        return self._as_json(load_settings(self._config))

    def config_status(self) -> ConfigStatus:
        """Return whether the daemon uses the settings in the file.

        Raises UserError when the file is invalid.
        """
        return self._query_status(b"use\n", lambda: load_settings(self._config))

    def save(self, drawing: Drawing) -> tuple[dict[str, Any], ConfigStatus]:
        """Save the drawing, and ask the daemon to read the file again.

        Everything else in the file stays unchanged. Returns the saved settings, in the format of
        `saved_settings`, and the present status.

        Raises UserError, before anything is written, when a value is invalid or the file cannot
        be written. Once the file has been written, no exception is raised, even if the daemon does
        not answer or refuses the settings.
        """
        if self._config is None:
            raise UserError("there is no file to save to: start the dashboard with --config FILE")
        with self._lock:
            written = self._write(self._config, drawing)
        return self._as_json(written), self._query_status(b"reload\n", lambda: written)

    def _as_json(self, settings: Settings) -> dict[str, Any]:
        return {
            **msgspec.to_builtins(Drawing.of(settings)),
            "can_save": self._config is not None,
        }

    def _query_status(self, command: bytes, expected: Callable[[], Settings]) -> ConfigStatus:
        """Send `command` and compare the settings in the answer with `expected`."""
        try:
            in_use = msgspec.json.decode(self._request(command), type=SettingsInUse)
        except UserError as error:
            return ConfigStatus("away", str(error))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return ConfigStatus("away", UNREADABLE_ANSWER)
        if in_use.reloading:
            return ConfigStatus("waiting")
        if in_use.refused:
            return ConfigStatus("refused", in_use.refused)
        used = Drawing(zone=in_use.zone, excluded=in_use.excluded, min_face=in_use.min_face)
        is_same = used == Drawing.of(expected())
        return ConfigStatus("used" if is_same else "other", "", used)

    def _write(self, path: Path, drawing: Drawing) -> Settings:
        """Write the drawing into the file and return its new settings; raises UserError."""
        try:
            document = tomlkit.parse(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, TOMLKitError) as error:
            raise UserError(f"cannot read {path}: {error}") from None
        Zone(drawing.zone, drawing.excluded or ())  # raises UserError for an invalid zone
        changes = [
            (section, name, value)
            for section, name, value in (
                ("camera", "zone", _lists(drawing.zone)),
                ("camera", "excluded", _lists(drawing.excluded)),
                ("detector", "min_face", drawing.min_face),
            )
            if value is not None
            # An earlier release does not know `excluded`: an empty list only replaces another one.
            and (name != "excluded" or value or name in document.get(section, {}))
        ]
        for section, name, value in changes:
            if section not in document:
                document[section] = tomlkit.table()
            document[section][name] = value
        text = tomlkit.dumps(document)
        written = _parse_settings(text, path.name)
        try:
            _replace_file(path, text)
        except UserError as error:
            lines = ", ".join(
                f"{name} = {value} under [{section}]" for section, name, value in changes
            )
            raise UserError(f"{error}; write it there yourself: {lines}") from None
        return written

    def _request(self, command: bytes) -> bytes:
        """Send `command` to the daemon and return its answer; raises UserError."""
        answer = bytearray()
        path = preview_socket(self._camera)
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


def _lists(rows: Sequence[Sequence[float]] | None) -> list[list[float]] | None:
    return None if rows is None else [list(row) for row in rows]


def _parse_settings(text: str, file_name: str) -> Settings:
    """Return the settings in `text`; raises UserError, which names `file_name`."""
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / "trial.toml"
        trial.write_text(text, encoding="utf-8")
        try:
            return load_settings(trial)
        except UserError as error:
            raise UserError(str(error).replace(str(trial), file_name)) from None


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


def _copy_owner(file: int, original: os.stat_result) -> None:
    """Give the open file the owner and group of `original`, as far as this process may.

    Raises OSError when the group would be lost and somebody who reads the file through its group,
    as the daemon does, could then not read it any more.
    """
    # Changing the owner needs root. Keeping the group only needs membership in it. A service with
    # its own user namespace (PrivateUsers=) can do neither; there the folder determines the group.
    for owner in (original.st_uid, -1):
        with contextlib.suppress(OSError):
            os.fchown(file, owner, original.st_gid)
            break
    is_world_readable = original.st_mode & stat.S_IROTH
    if not is_world_readable and os.fstat(file).st_gid != original.st_gid:
        raise OSError(errno.EPERM, "its group cannot be kept: run chmod g+s on its folder")


def _replace_file(path: Path, text: str) -> None:
    """Replace the content of the file atomically.

    The mode stays the same, and the owner does if this process may set it. If `path` is a symbolic
    link, its target is replaced and the link stays. Raises UserError.
    """
    path = path.resolve()
    temporary: Path | None = None
    try:
        original = path.stat()
        # The temporary file has an unpredictable name, and only this user can read it until it has
        # the mode of the original: others may be able to write to the folder, and the
        # configuration may contain a password.
        descriptor, name = tempfile.mkstemp(".new", f".{path.name}.", path.parent)
        temporary = Path(name)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            _copy_owner(file.fileno(), original)
            os.fchmod(file.fileno(), stat.S_IMODE(original.st_mode))
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
        raise UserError(f"cannot write {path}: {error.strerror}") from None
