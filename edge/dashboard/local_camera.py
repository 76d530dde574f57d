"""The daemon of this same device: what it sees, and its configuration file."""

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

PATIENCE_S = 3.0
AGAIN_S = 0.05
#: A description and a JPEG of a frame are far smaller.
MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class CameraView:
    """What the daemon sees (`edge.daemon.preview_server`).

    `picture` is a JPEG, or None when the daemon sees nothing.
    """

    told: dict[str, Any]
    picture: bytes | None


@dataclass(frozen=True)
class Use:
    """What the daemon makes of what the file says.

    `used`: just that; `waiting`: it is reading it; `refused`: it goes on as before, `why` says for
    what reason; `other`: it uses something else, as it reads another file or was not asked to
    read this one; `away`: it does not answer (`why`), so it reads the file when it starts.

    `zone` and `min_face` are what it uses, with `used` and `other`: to compare with what one has
    saved oneself, as the file may have been saved to again.
    """

    state: Literal["used", "waiting", "refused", "other", "away"]
    why: str = ""
    zone: tuple[tuple[float, float], ...] | None = None
    min_face: float | None = None


class LocalCamera:
    """May be used from any thread."""

    def __init__(self, settings: Settings, config: Path | None) -> None:
        """`config` is the file that is saved to; without one nothing can be saved. Raises
        UserError for a path of the socket that cannot be one."""
        self._camera = settings.camera
        preview_socket(self._camera)
        self._config = config
        self._lock = threading.Lock()

    def look(self) -> CameraView:
        """What is seen now; raises UserError when the daemon does not answer."""
        head, _, picture = self._ask(b"look\n").partition(b"\n")
        try:
            told = json.loads(head)
        except ValueError:
            raise UserError("the daemon gives no answer that can be read") from None
        return CameraView(told, picture or None)

    def drawn(self) -> dict[str, Any]:
        """The zone and the smallest face as they stand in the file."""
        return self._drawn(load_settings(self._config))

    def use(self) -> Use:
        """Whether the daemon uses what stands in the file; raises UserError when the file is no
        good."""
        return self._use(b"use\n", lambda: load_settings(self._config))

    def save(
        self, zone: Sequence[tuple[float, float]], min_face: float | None
    ) -> tuple[dict[str, Any], Use]:
        """Write both into the file, all else as it stands there, and have the daemon read it;
        `min_face` None: as it is. Gives what was written, as `drawn` does, and what the daemon
        makes of it so far. Raises UserError, and has written nothing, when they are no good or the
        file cannot be written; once it is written nothing is raised, whatever becomes of it."""
        if self._config is None:
            raise UserError("there is no file to save to: start the dashboard with --config FILE")
        with self._lock:
            written = self._write(self._config, zone, min_face)
        return self._drawn(written), self._use(b"reload\n", lambda: written)

    def _drawn(self, settings: Settings) -> dict[str, Any]:
        return {
            "zone": [list(corner) for corner in settings.camera.zone],
            "min_face": settings.detector.min_face,
            "can_save": self._config is not None,
        }

    def _use(self, question: bytes, wanted: Callable[[], Settings]) -> Use:
        try:
            told = msgspec.json.decode(self._ask(question), type=SettingsInUse)
        except UserError as error:
            return Use("away", str(error))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return Use("away", "the daemon gives no answer that can be read")
        if told.reloading:
            return Use("waiting")
        if told.refused:
            return Use("refused", told.refused)
        here = wanted()
        same = (told.zone, told.min_face) == (here.camera.zone, here.detector.min_face)
        return Use("used" if same else "other", "", told.zone, told.min_face)

    def _write(
        self, path: Path, zone: Sequence[tuple[float, float]], min_face: float | None
    ) -> Settings:
        try:
            document = tomlkit.parse(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, TOMLKitError) as error:
            raise UserError(f"cannot read {path}: {error}") from None
        Zone(zone)
        if "camera" not in document:
            document["camera"] = tomlkit.table()
        document["camera"]["zone"] = [list(corner) for corner in zone]
        if min_face is not None:
            if "detector" not in document:
                document["detector"] = tomlkit.table()
            document["detector"]["min_face"] = min_face
        text = tomlkit.dumps(document)
        with tempfile.TemporaryDirectory() as folder:
            trial = Path(folder) / "trial.toml"
            trial.write_text(text, encoding="utf-8")
            try:
                written = load_settings(trial)
            except UserError as error:
                raise UserError(str(error).replace(str(trial), path.name)) from None
        try:
            _replace(path, text)
        except UserError as error:
            lines = f"zone = {[list(corner) for corner in zone]} under [camera]"
            lines += "" if min_face is None else f", min_face = {min_face} under [detector]"
            raise UserError(f"{error}; write it there yourself: {lines}") from None
        return written

    def _ask(self, what: bytes) -> bytes:
        answer = bytearray()
        path = preview_socket(self._camera)
        try:
            with socket.socket(socket.AF_UNIX) as daemon:
                daemon.settimeout(PATIENCE_S)
                _connect(daemon, path)
                daemon.sendall(what)
                while part := daemon.recv(65536):
                    answer += part
                    if len(answer) > MAX_BYTES:
                        raise UserError("the daemon's answer is too long")
        except OSError as error:
            raise UserError(
                f"the daemon does not answer at {path} ({error.strerror or error}):"
                " is it running on this device, with camera.preview = true?"
            ) from None
        return bytes(answer)


def _connect(daemon: socket.socket, path: Path) -> None:
    """Again and again while too many others wait, which the system tells at once."""
    until_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            daemon.connect(str(path))
            return
        except BlockingIOError:
            if time.monotonic() > until_s:
                raise
        time.sleep(AGAIN_S)


def _give(file: int, before: os.stat_result) -> None:
    """To the owner and the group of before, as far as we may; raises OSError when it would be lost
    to who could read it by its group, as the daemon does."""
    # Giving away takes root; keeping the group takes no more than being in it. A service that has
    # numbers of its own (PrivateUsers=) may name neither: there the folder gives the group.
    for owner in (before.st_uid, -1):
        with contextlib.suppress(OSError):
            os.fchown(file, owner, before.st_gid)
            break
    others_may = before.st_mode & stat.S_IROTH
    if not others_may and os.fstat(file).st_gid != before.st_gid:
        raise OSError(errno.EPERM, "its group cannot be kept: chmod g+s its folder")


def _replace(path: Path, text: str) -> None:
    """All of it or nothing, with the file's own rights and, where we may, its owner; a link to
    it stays one. Raises UserError."""
    path = path.resolve()
    beside: Path | None = None
    try:
        before = path.stat()
        # New, of a name that nobody foretells, and ours alone until it has the rights of before:
        # others may write to the folder, and the file may hold a password.
        number, name = tempfile.mkstemp(".new", f".{path.name}.", path.parent)
        beside = Path(name)
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            _give(file.fileno(), before)
            os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        if beside is not None:
            with contextlib.suppress(OSError):
                beside.unlink()
        raise UserError(f"cannot write {path}: {error.strerror}") from None
