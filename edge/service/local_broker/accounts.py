"""The accounts at the broker, and the access rules: mosquitto's password file and its ACL file."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.common.errors import UsageError, UserError
from edge.common.paths import PACKAGE
from edge.config.settings import MqttSettings
from edge.mqtt.home_assistant import object_id
from edge.service.local_broker.root_file import write_file

RULES_EXAMPLE = PACKAGE / "dashboard/mosquitto/mask-patrol.acl"
#: The accounts for which the access rules have their own sections. They are no devices.
NO_DEVICES = DASHBOARD, HOME_ASSISTANT = "dashboard", "homeassistant"
#: The first level of topics in the example: those of devices, and those of Home Assistant.
EXAMPLE_BASE, EXAMPLE_PREFIX = MqttSettings().base, MqttSettings().discovery_prefix
_NAME = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,64}")
#: PBKDF2 with SHA-512, as mosquitto_passwd uses it. Its number of iterations is small, but the
#: passwords are random and have 128 bits.
_HASH, _KIND, _ITERATIONS, _SALT_BYTES = "sha512", "7", 101, 12


@dataclass(frozen=True)
class Accounts:
    """The accounts in the file `path`, with the access rules in `rules`, which `group` can read."""

    path: Path
    rules: Path
    group: int | None = None

    def names(self) -> list[str]:
        """Return the names of all accounts, sorted; raises UserError if they cannot be read."""
        return sorted(self._hashes())

    def accepts(self, name: str, password: str) -> bool:
        """Return whether `password` is that of the account `name`."""
        stored = self._hashes().get(name, "")
        try:
            _, kind, iterations, salt, digest = stored.split("$")
            found = _digest(password, base64.b64decode(salt), int(iterations))
            return kind == _KIND and hmac.compare_digest(found, base64.b64decode(digest))
        except ValueError:
            return False

    def put(self, name: str, password: str) -> bool:
        """Add the account, or replace its password; return whether that changes anything.

        Raises UsageError for a name that cannot be that of a device.
        """
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} cannot be the name of an account: it must be the name of a device,"
                " 1 to 64 letters, digits and . _ -"
            )
        if self.accepts(name, password):
            return False
        return self._write({**self._hashes(), name: _hashed(password)})

    def remove(self, name: str) -> None:
        """Remove an account; raises UserError if there is none of this name."""
        hashes = self._hashes()
        if hashes.pop(name, None) is None:
            raise UserError(f"there is no account {name}: sudo mask-patrol broker list shows all")
        self._write(hashes)

    def write_rules(self, mqtt: MqttSettings) -> bool:
        """Write the access rules for the topics of `mqtt`; return whether they have changed."""
        prefix = mqtt.discovery_prefix
        text = RULES_EXAMPLE.read_text(encoding="utf-8")
        # Behind a slash, it is the name of the account.
        text = text.replace(f" {EXAMPLE_PREFIX}/", f" {prefix}/")
        text = text.replace(f" {EXAMPLE_BASE}/", f" {mqtt.base}/")
        # The pattern of the example permits the announcement of names without other characters.
        odd = [name for name in self.names() if object_id(name) != name]
        for name in odd:
            topic = f"{prefix}/device/mask-patrol-{object_id(name)}/config"
            text += f"\nuser {name}\ntopic write {topic}\n"
        return write_file(self.rules, text, 0o640, self.group)

    def _hashes(self) -> dict[str, str]:
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"cannot read {self.path}: {error}") from None
        return {name: rest for name, mark, rest in (line.partition(":") for line in lines) if mark}

    def _write(self, hashes: Mapping[str, str]) -> bool:
        text = "".join(f"{name}:{rest}\n" for name, rest in hashes.items())
        return write_file(self.path, text, 0o640, self.group)


def _hashed(password: str) -> str:
    """Return the password as mosquitto stores it."""
    salt = os.urandom(_SALT_BYTES)
    parts = (base64.b64encode(part).decode() for part in (salt, _digest(password, salt)))
    return f"${_KIND}${_ITERATIONS}${'$'.join(parts)}"


def _digest(password: str, salt: bytes, iterations: int = _ITERATIONS) -> bytes:
    return hashlib.pbkdf2_hmac(_HASH, password.encode(), salt, iterations)
