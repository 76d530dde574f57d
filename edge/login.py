"""As whom we connect: from the environment, else from the configuration and a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge.config import MqttSettings
from edge.errors import UsageError, UserError
from edge.paths import user_path

USERNAME, PASSWORD = "MASK_PATROL_MQTT_USERNAME", "MASK_PATROL_MQTT_PASSWORD"
#: MQTT counts the bytes of both in 16 bits.
MOST_BYTES = 65535


@dataclass(frozen=True)
class Login:
    """A user name, empty for none, and a password, which no representation shows."""

    username: str = ""
    password: str = field(default="", repr=False)


def find_login(settings: MqttSettings, environment: Mapping[str, str]) -> Login:
    """What to log in with; an empty variable counts as none.

    Raises UserError when the password cannot be read or is empty, UsageError when there
    is one and no user name, which MQTT does not allow. No message shows the password.
    """
    username = environment.get(USERNAME) or settings.username
    password = environment.get(PASSWORD) or _from_file(settings.password_file)
    if password and not username:
        raise UsageError(
            f"there is a password for the broker and no user name: set mqtt.username or {USERNAME}"
        )
    for what, text in (("user name", username), ("password", password)):
        _require_sendable(what, text)
    return Login(username, password)


def _from_file(text: str) -> str:
    if not text:
        return ""
    path = user_path(text)
    try:
        password = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UserError(f"cannot read mqtt.password_file {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"cannot read mqtt.password_file {path}: it is no UTF-8 text") from None
    if not password:
        raise UserError(f"mqtt.password_file {path} is empty: write the password into it")
    return password


def _require_sendable(what: str, text: str) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise UsageError(f"the {what} for the broker is no UTF-8 text") from None
    if size > MOST_BYTES:
        raise UsageError(f"the {what} for the broker is too long: MQTT takes {MOST_BYTES} bytes")
