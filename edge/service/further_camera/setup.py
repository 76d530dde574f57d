"""Installs a further camera of the service, and removes it again."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge.camera.private_source import CREDENTIAL_SOURCE
from edge.common.errors import UsageError, UserError
from edge.common.signals import signal_handlers, stop
from edge.config.installed_camera import InstalledCamera, further_cameras, require_camera_name
from edge.config.settings import load_settings
from edge.service.cameras import installed_cameras
from edge.service.further_camera.broker_login import (
    DeviceAccounts,
    KnownBroker,
    copy_login,
    find_broker,
    write_credential,
    write_login,
)
from edge.service.further_camera.settings_file import (
    NewCamera,
    local_camera,
    require_valid,
    settings_text,
    usable_source,
)
from edge.service.further_camera.system import CameraSystem
from edge.service.local_broker.root_file import make_folder, write_file
from edge.service.releases import read_credential

#: Signals that must not end a process that undoes an installation.
STOP_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class CameraSetup:
    """Installs and removes cameras below `root`; `say` prints a line of progress."""

    say: Callable[[str], None]
    root: Path = Path("/")
    system: CameraSystem = field(default_factory=CameraSystem)
    accounts: DeviceAccounts = field(default_factory=DeviceAccounts)

    def add(self, wanted: NewCamera, within_s: float, keep: bool = False) -> InstalledCamera:
        """Install a camera, and wait until it is online.

        If it fails its check, does not come online within `within_s` seconds, or if a signal stops
        this process, such as SIGHUP when an SSH connection is lost, it is removed again. With
        `keep`, only a signal removes it. Must be called in the main thread.

        Raises UsageError if it cannot be installed as it is wanted, UserError if it does not come
        online.
        """
        require_camera_name(wanted.name)
        camera = InstalledCamera(wanted.name, self.root)
        _require_new(camera)
        new = replace(wanted, source=usable_source(wanted.source))
        broker = find_broker(new, self.root)
        require_valid(new, broker.mqtt)
        self._require_unused(new)
        has_account = not new.username and self.accounts.has_broker(broker.mqtt)
        if has_account:
            self.accounts.require_free(camera)
        had_state = camera.state.exists()
        try:
            with signal_handlers({signal.SIGHUP: stop, signal.SIGTERM: stop}):
                self._write(camera, new, broker, has_account)
                problem = self._start(camera, within_s, keep)
        except BaseException:
            self._discard(camera, had_state)
            raise
        if problem is None:
            return camera
        if keep:
            raise UserError(f"{camera.name} was added, but is not online: {problem}")
        self._discard(camera, had_state)
        raise UserError(f"{camera.name} was not added: {problem}; --keep adds it nevertheless")

    def remove(self, camera: InstalledCamera, purge: bool) -> None:
        """Stop and remove a camera; its data are deleted only with `purge`. Raises UserError."""
        self._remove_files(camera)
        if purge and camera.state.exists():
            self.system.remove_state(camera)

    def _require_unused(self, new: NewCamera) -> None:
        """Raise UsageError if another camera has the same device name, or the same local camera."""
        for other in installed_cameras(self.root):
            settings = load_settings(other.configuration)
            if settings.device == new.name:
                raise UsageError(
                    f"the camera {other.name} is the device {new.name} already: choose another name"
                )
            device = local_camera(new.source)
            if device and local_camera(settings.camera.source) == device:
                raise UsageError(
                    f"the camera {other.name} uses {settings.camera.source} already, and only one"
                    " process can open it: choose another source"
                )

    def _write(
        self, camera: InstalledCamera, new: NewCamera, broker: KnownBroker, has_account: bool
    ) -> None:
        """Write all files of `camera`; the settings are last, because they need the credentials."""
        self.system.prepare()
        make_folder(camera.credentials, 0o700)
        if has_account:
            self.accounts.make(camera)
        elif new.username:
            write_login(camera, new.username, new.password)
        elif broker.user is None:
            write_login(camera, "", "")
        elif copy_login(camera, broker.user):
            self.say(
                f"{camera.name} uses the login of {broker.user.name} at the broker. If the broker"
                " has an account for each device, give its own with --username."
            )
        # The folder may be left from a camera whose settings were deleted by hand: its address
        # would replace the one in the settings.
        secret_source = new.source if new.source_is_secret else ""
        write_credential(camera, CREDENTIAL_SOURCE, secret_source)
        text = settings_text(camera, new, broker.mqtt)
        write_file(camera.configuration, text, 0o640, self.system.group())

    def _start(self, camera: InstalledCamera, within_s: float, keep: bool) -> str | None:
        """Check and start `camera`; return the problem if it does not work."""
        self.say(f"Checking {camera.name} …")
        passes = self.system.check(camera)
        if not passes and not keep:
            return "its check failed (see above)"
        self.say(f"Starting {camera.unit} …")
        self.system.start(camera)
        if not passes:
            return "its check failed (see above)"
        return self.system.wait_until_online(camera, within_s)

    def _discard(self, camera: InstalledCamera, had_state: bool) -> None:
        """Undo an installation that has failed or was interrupted; a second Ctrl-C is ignored."""
        with signal_handlers(dict.fromkeys(STOP_SIGNALS, signal.SIG_IGN)):
            self._remove_files(camera)
            if not had_state and camera.state.exists():
                self.system.remove_state(camera)

    def _remove_files(self, camera: InstalledCamera) -> None:
        self.system.stop(camera)
        self.accounts.remove(camera)
        camera.configuration.unlink(missing_ok=True)
        shutil.rmtree(camera.credentials, ignore_errors=True)


def _require_new(camera: InstalledCamera) -> None:
    """Raise UsageError if the settings file of `camera` exists."""
    if not camera.configuration.exists():
        return
    if not camera.credentials.is_dir():
        raise UsageError(
            f"{camera.configuration} exists, but is no camera: move it away, or choose another name"
        )
    raise UsageError(
        f"there is a camera {camera.name} already ({camera.configuration}): choose another name, or"
        f" remove it first (sudo mask-patrol camera remove {camera.name})"
    )


def shown_source(camera: InstalledCamera) -> str:
    """Return the source of `camera`, whose password messages hide, or why it cannot be read."""
    try:
        settings = load_settings(camera.configuration)
    except UserError as error:
        return f"({str(error).splitlines()[0]})"
    return read_credential(camera, CREDENTIAL_SOURCE) or settings.camera.source


def removable_camera(name: str, root: Path = Path("/")) -> InstalledCamera:
    """Return the further camera `name`; raises UserError if there is none."""
    require_camera_name(name)
    found = {camera.name: camera for camera in further_cameras(root)}
    if name not in found:
        raise UserError(f"there is no camera {name}: sudo mask-patrol camera list shows all")
    return found[name]
