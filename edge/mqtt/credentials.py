"""The user name and password for the broker.

Each of the two is read from the environment, else from systemd's credentials, else from the
configuration (the password from the file that the configuration names).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge.common.errors import UsageError
from edge.common.paths import user_path
from edge.common.secret_files import read_secret, systemd_credential
from edge.config.settings import MqttSettings

USERNAME_VARIABLE, PASSWORD_VARIABLE = "MASK_PATROL_MQTT_USERNAME", "MASK_PATROL_MQTT_PASSWORD"
CREDENTIAL_USERNAME, CREDENTIAL_PASSWORD = "mqtt-username", "mqtt-password"
#: What these credentials contain, for messages.
CONTENT = "the broker's user name or password"
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
        or systemd_credential(environment, CREDENTIAL_USERNAME, CONTENT)
        or settings.username
    )
    password = (
        environment.get(PASSWORD_VARIABLE)
        or systemd_credential(environment, CREDENTIAL_PASSWORD, CONTENT)
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


def _password_from_file(path_text: str) -> str:
    if not path_text:
        return ""
    path = user_path(path_text)
    return read_secret(f"mqtt.password_file {path}", path, CONTENT)


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
