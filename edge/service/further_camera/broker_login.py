"""The broker of a new camera, and its login there: known already, as far as possible."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.common.errors import UsageError, UserError
from edge.common.text_files import read_text
from edge.config.installed_camera import InstalledCamera, further_cameras
from edge.config.settings import load_settings
from edge.mqtt.credentials import CREDENTIAL_PASSWORD, CREDENTIAL_USERNAME
from edge.service.further_camera.settings_file import NewCamera
from edge.service.local_broker.accounts import NO_DEVICES, Accounts
from edge.service.local_broker.mosquitto_service import MosquittoService
from edge.service.local_broker.places import GROUP, OWN_HOST, Places
from edge.service.local_broker.root_file import group_number, write_file
from edge.service.local_broker.setup import new_password
from edge.service.releases import installation_lock, read_credential


@dataclass(frozen=True)
class KnownBroker:
    """The settings `mqtt` of a broker, and the camera of this device that uses it, if there is
    one."""

    mqtt: dict[str, Any]
    user: InstalledCamera | None


def find_broker(new: NewCamera, root: Path = Path("/")) -> KnownBroker:
    """Return the broker of `new`: the given one, or else that of another camera of this device.

    Raises UsageError if there is none.
    """
    if new.broker is not None:
        host, port = new.broker
        return KnownBroker({"host": host} | ({"port": port} if port else {}), None)
    for camera in (InstalledCamera(root=root), *further_cameras(root)):
        load_settings(camera.configuration)  # raises UsageError with all mistakes
        mqtt = tomllib.loads(read_text(camera.configuration)).get("mqtt", {})
        if mqtt.get("host"):
            mqtt.pop("client_id", None)  # each client of a broker needs its own
            return KnownBroker(mqtt, camera)
    raise UsageError(
        "no camera of this device has a broker yet: name yours with --broker HOST, or set one up"
        " here with install.sh --broker here"
    )


@dataclass(frozen=True)
class DeviceAccounts:
    """The accounts of cameras at the broker of this device, if `--broker here` has set one up."""

    root: Path = Path("/")
    service: MosquittoService = field(default_factory=MosquittoService)
    group: Callable[[str], int] = group_number
    password: Callable[[], str] = new_password

    def has_broker(self, mqtt: dict[str, Any]) -> bool:
        """Return whether `mqtt` means the broker of this device."""
        return self._places.conf.exists() and mqtt.get("host") == OWN_HOST

    def require_free(self, camera: InstalledCamera) -> None:
        """Raise UsageError unless `camera` can get an account of its name."""
        if camera.name in NO_DEVICES:
            raise UsageError(
                f"a camera cannot be called {camera.name}, which is an account with other rights at"
                " the broker of this device: choose another name"
            )
        # After an interruption, the credentials are there already.
        own = read_credential(camera, CREDENTIAL_USERNAME) == camera.name
        if not own and camera.name in self._accounts.names():
            raise UsageError(
                f"{camera.name} is another device at the broker of this device: choose another"
                " name, or remove that account first (sudo mask-patrol broker remove"
                f" {camera.name})"
            )

    def make(self, camera: InstalledCamera) -> None:
        """Make the account of `camera`, whose password is written to its credentials first."""
        password = read_credential(camera, CREDENTIAL_PASSWORD) or self.password()
        write_login(camera, camera.name, password)
        with self._changing() as accounts:
            accounts.put(camera.name, password)

    def remove(self, camera: InstalledCamera) -> None:
        """Remove the account of `camera`, if it has one of its own."""
        host = ""
        with suppress(UserError):  # settings that cannot be read must not prevent the removal
            host = load_settings(camera.configuration).mqtt.host
        is_own = read_credential(camera, CREDENTIAL_USERNAME) == camera.name
        if is_own and self.has_broker({"host": host}) and camera.name in self._accounts.names():
            with self._changing() as accounts:
                accounts.remove(camera.name)

    @contextmanager
    def _changing(self) -> Iterator[Accounts]:
        """Let the broker read the accounts after a change."""
        mqtt = load_settings(self._places.configuration).mqtt
        with installation_lock(self._places.lock):
            yield self._accounts
            self._accounts.write_rules(mqtt)
        self.service.reload()

    @property
    def _places(self) -> Places:
        return Places(self.root)

    @property
    def _accounts(self) -> Accounts:
        return Accounts(self._places.accounts, self._places.rules, self.group(GROUP))


def write_login(camera: InstalledCamera, username: str, password: str) -> None:
    """Write the login of `camera`; an empty text is no login. Raises UserError."""
    write_credential(camera, CREDENTIAL_PASSWORD, password)
    write_credential(camera, CREDENTIAL_USERNAME, username)


def write_credential(camera: InstalledCamera, name: str, text: str) -> None:
    """Write a credential of `camera`, or delete that of an earlier camera if `text` is empty.

    Raises UserError.
    """
    path = camera.credentials / name
    if text:
        write_file(path, f"{text}\n", 0o600)
    else:
        path.unlink(missing_ok=True)


def copy_login(camera: InstalledCamera, other: InstalledCamera) -> bool:
    """Give `camera` the login of `other`; return whether there is one."""
    username = read_credential(other, CREDENTIAL_USERNAME)
    password = read_credential(other, CREDENTIAL_PASSWORD)
    write_login(camera, username, password)
    return bool(username or password)
