"""The user name and password for the broker.

Each of the two is read from the environment, else from systemd's credentials, else from the
configuration (the password from the file that the configuration names).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge.common.errors import UsageError, UserError
from edge.common.paths import user_path
from edge.config.settings import MqttSettings

USERNAME_VARIABLE, PASSWORD_VARIABLE = "MASK_PATROL_MQTT_USERNAME", "MASK_PATROL_MQTT_PASSWORD"
#: systemd sets this variable to the directory of the credentials that it loads with LoadCredential=
#: (systemd.exec(5)).
DIRECTORY_VARIABLE = "CREDENTIALS_DIRECTORY"
CREDENTIAL_USERNAME, CREDENTIAL_PASSWORD = "mqtt-username", "mqtt-password"
#: systemd puts this prefix, which our unit defines, before the names of credentials that it loads
#: from a directory.
DIRECTORY_PREFIX = "mask-patrol_"
#: MQTT encodes the length of the user name, and that of the password, in two bytes.
MAX_CREDENTIAL_BYTES = 65535


@dataclass(frozen=True)
class Credentials:
    """A user name, empty for none, and a password, which `repr` does not show."""

    username: str = ""
    password: str = field(default="", repr=False)


def find_credentials(settings: MqttSettings, environment: Mapping[str, str]) -> Credentials:
    """Return the credentials for the broker; an empty environment variable counts as unset.

    Raises UserError when the password cannot be read or is empty, UsageError when there is a
    password without a user name, which MQTT 3.1.1 does not allow. No message contains the
    password.
    """
    username = (
        environment.get(USERNAME_VARIABLE)
        or _systemd_credential(environment, CREDENTIAL_USERNAME)
        or settings.username
    )
    password = (
        environment.get(PASSWORD_VARIABLE)
        or _systemd_credential(environment, CREDENTIAL_PASSWORD)
        or _password_from_file(settings.password_file)
    )
    if password and not username:
        raise UsageError(
            "there is a password for the broker but no user name: set mqtt.username or"
            f" {USERNAME_VARIABLE}, or the credential {CREDENTIAL_USERNAME}"
        )
    for name, text in (("user name", username), ("password", password)):
        _require_encodable(name, text)
    return Credentials(username, password)


def _systemd_credential(environment: Mapping[str, str], name: str) -> str:
    """Return the credential that systemd loaded as `name`, empty if there is none."""
    directory = environment.get(DIRECTORY_VARIABLE)
    if not directory:
        return ""
    for path in (Path(directory, name), Path(directory, DIRECTORY_PREFIX + name)):
        if path.exists():
            return _read_text(f"the credential {name}", path)
    return ""


def _password_from_file(path_text: str) -> str:
    if not path_text:
        return ""
    path = user_path(path_text)
    return _read_text(f"mqtt.password_file {path}", path)


def _read_text(description: str, path: Path) -> str:
    """Return the file's text without surrounding white space.

    Raises UserError, whose message names the file by `description`, if there is no such text.
    """
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UserError(f"cannot read {description}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"cannot read {description}: it is not UTF-8 text") from None
    if not text:
        raise UserError(f"{description} is empty: write the broker's user name or password into it")
    return text


def _require_encodable(name: str, text: str) -> None:
    """Raise UsageError if MQTT cannot encode `text`."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise UsageError(f"the {name} for the broker is not UTF-8 text") from None
    if size > MAX_CREDENTIAL_BYTES:
        raise UsageError(
            f"the {name} for the broker is too long: MQTT allows {MAX_CREDENTIAL_BYTES} bytes"
        )
