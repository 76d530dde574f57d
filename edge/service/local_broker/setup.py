"""Sets up the broker on this device: `install.sh --broker here`."""

from __future__ import annotations

import json
import re
import secrets
import tomllib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edge.common.errors import UsageError, UserError
from edge.common.machine_names import MachineNames
from edge.common.paths import PACKAGE
from edge.common.text_files import read_text
from edge.config.settings import Settings, load_settings
from edge.config.toml_edit import with_values
from edge.mqtt.credentials import CREDENTIAL_PASSWORD, CREDENTIAL_USERNAME
from edge.service.local_broker.accounts import DASHBOARD, NO_DEVICES, Accounts
from edge.service.local_broker.certificates import (
    Pair,
    new_authority,
    new_certificate,
    read_certificate,
)
from edge.service.local_broker.mosquitto_service import MosquittoService
from edge.service.local_broker.places import OWN_HOST, PORT, Places
from edge.service.local_broker.root_file import make_folder, write_file

CONF_EXAMPLE = PACKAGE / "dashboard/mosquitto/mosquitto.conf"
#: Settings of mosquitto that our configuration would contradict, or that open other ways in.
_OWN_SETTINGS = re.compile(
    r"\s*(listener|port|bind_address|per_listener_settings|allow_anonymous|password_file|acl_file"
    r"|plugin|auth_plugin|connection)\s"
)
_INCLUDES = re.compile(r"\s*include_dir\s+/etc/mosquitto/conf\.d/?\s*")
PASSWORD_BYTES = 16


def new_password() -> str:
    """Return a random password, which needs no quoting in a shell."""
    return secrets.token_hex(PASSWORD_BYTES)


@dataclass
class BrokerSetup:
    """Sets up the broker, or completes and corrects what is there; a second run changes nothing."""

    places: Places
    machine: MachineNames
    service: MosquittoService
    #: The number of the group of mosquitto's account.
    group: int
    password: Callable[[], str] = new_password

    def run(self) -> bool:
        """Set up the broker, and let the daemon and the dashboard of this device use it.

        Return whether anything has changed. Raises UsageError if mosquitto or Mask Patrol has
        another configuration already, UserError if something fails; the next run then continues.
        """
        settings = load_settings(self.places.configuration)
        self._require_own_broker(settings)
        self._require_unconfigured_mosquitto()
        must_restart = self.places.restart_pending.exists()
        self.places.restart_pending.touch()
        make_folder(self.places.folder, 0o750, self.group)
        changes = [
            self._write_certificates(),
            self._write_accounts(settings),
            self._write_conf(),
        ]
        if must_restart or any(changes):
            self.service.restart()
        self.places.restart_pending.unlink()
        certificate = self.places.authority.read_text(encoding="utf-8")
        changes.append(write_file(self.places.trusted, certificate))
        changes.append(self._edit_configuration(settings))
        return any(changes)

    def _require_own_broker(self, settings: Settings) -> None:
        if settings.mqtt.host not in ("", OWN_HOST):
            raise UsageError(
                f"{self.places.configuration} names another broker, `mqtt.host ="
                f' "{settings.mqtt.host}"`: remove that line to use a broker on this device'
            )
        if settings.device in NO_DEVICES:
            raise UsageError(
                f"the device cannot be called {settings.device}, which is an account with other"
                f" rights: set another `device` in {self.places.configuration}"
            )

    def _require_unconfigured_mosquitto(self) -> None:
        """Raise UsageError if somebody has configured mosquitto for other purposes."""
        main = self.places.mosquitto / "mosquitto.conf"
        if not main.exists():
            raise UsageError("mosquitto is not installed: sudo apt install mosquitto")
        others = [p for p in self.places.conf.parent.glob("*.conf") if p != self.places.conf]
        text = _lines(main)
        if any(map(_OWN_SETTINGS.match, text)) or not any(map(_INCLUDES.fullmatch, text)):
            others.append(main)
        if others:
            raise UsageError(
                f"mosquitto on this device is already configured by {others[0]}, and Mask Patrol"
                " does not change that: set it up by hand, as edge/mqtt/README.md describes"
            )

    def _write_certificates(self) -> bool:
        """Make the authority once, and a certificate for the present names of this machine."""
        places = self.places
        if not places.authority.exists() or not places.authority_key.exists():
            authority = new_authority(self.machine.host)
            write_file(places.authority_key, authority.key, 0o600)
            write_file(places.authority, authority.certificate)
            places.certified_names.unlink(missing_ok=True)
        certificate = read_certificate(places.authority)
        names = self.machine.all()
        if "\n".join(_lines(places.certified_names)) == "\n".join(names):
            return False
        key = places.authority_key.read_text(encoding="utf-8", errors="replace")
        issued = new_certificate(Pair(certificate, key), names)
        write_file(places.certificate_key, issued.key, 0o640, self.group)
        write_file(places.certificate, issued.certificate)
        # Written last: after an interruption, the next run issues the certificate again.
        write_file(places.certified_names, "".join(f"{name}\n" for name in names))
        return True

    def _write_accounts(self, settings: Settings) -> bool:
        """Make the accounts of the daemon and the dashboard, whose credentials are on this device.

        The credentials are written first, and an account gets the password in them.
        """
        accounts = Accounts(self.places.accounts, self.places.rules, self.group)
        folder = self.places.daemon_credentials
        login = (settings.device, self._credential(folder, settings.device))
        changed = self._write_credentials(folder, *login) | accounts.put(*login)
        # A dashboard on another machine may use the account: its password is not known here.
        if DASHBOARD not in accounts.names():
            folder = self.places.dashboard_credentials
            if folder.is_symlink():  # to the account of the daemon, which may publish
                folder.unlink()
            make_folder(folder, 0o700)
            login = (DASHBOARD, self._credential(folder, DASHBOARD))
            changed |= self._write_credentials(folder, *login) | accounts.put(*login)
        return accounts.write_rules(settings.mqtt) | changed

    def _credential(self, folder: Path, name: str) -> str:
        """Return the password of the account `name` in `folder`, or a new one."""
        if _lines(folder / CREDENTIAL_USERNAME) == [name]:
            with suppress(ValueError):
                (password,) = _lines(folder / CREDENTIAL_PASSWORD)
                return password
        return self.password()

    @staticmethod
    def _write_credentials(folder: Path, name: str, password: str) -> bool:
        changed = write_file(folder / CREDENTIAL_PASSWORD, f"{password}\n", 0o600)
        return write_file(folder / CREDENTIAL_USERNAME, f"{name}\n", 0o600) | changed

    def _write_conf(self) -> bool:
        text = CONF_EXAMPLE.read_text(encoding="utf-8")
        own = text.replace("/etc/mosquitto/", f"{self.places.mosquitto}/")
        return write_file(self.places.conf, own)

    def _edit_configuration(self, settings: Settings) -> bool:
        """Set the broker and, as the name of the account, the device in the configuration."""
        path = self.places.configuration
        text = read_text(path)
        raw = tomllib.loads(text)
        broker: dict[str, str | int | bool] = {
            "host": OWN_HOST,
            "tls": True,
            "ca_file": str(self.places.trusted),
        }
        if "port" in raw.get("mqtt", {}):
            broker["port"] = PORT
        if raw.get("device") and broker.items() <= raw.get("mqtt", {}).items():
            return False
        edited = with_values(text, "mqtt", broker)
        if edited is not None and not raw.get("device"):
            edited = with_values(edited, "", {"device": settings.device})
        if edited is None or path.is_symlink():
            lines = "; ".join(f"{key} = {json.dumps(value)}" for key, value in broker.items())
            raise UserError(
                f"the broker is ready, but {path} cannot be changed automatically: set"
                f' `device = "{settings.device}"`, and in [mqtt] {lines}; then run this again'
            )
        found = path.stat()
        return write_file(path, edited, found.st_mode & 0o777, found.st_gid)


def _lines(path: Path) -> list[str]:
    """Return the lines of a file; there are none if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
