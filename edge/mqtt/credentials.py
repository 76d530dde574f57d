"""As whom we connect: from the environment, else from systemd's credentials, else from the
configuration and a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge.common.errors import UsageError, UserError
from edge.common.paths import user_path
from edge.config.settings import MqttSettings

USERNAME, PASSWORD = "MASK_PATROL_MQTT_USERNAME", "MASK_PATROL_MQTT_PASSWORD"
#: systemd's folder for what it loads with LoadCredential= (systemd.exec(5)), and the names there. A
#: credential that is a file of a loaded folder bears the name that our unit gives the folder first.
DIRECTORY = "CREDENTIALS_DIRECTORY"
CREDENTIAL_USERNAME, CREDENTIAL_PASSWORD = "mqtt-username", "mqtt-password"
FOLDER = "mask-patrol_"
#: MQTT counts the bytes of both in 16 bits.
MAX_BYTES = 65535


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
    username = (
        environment.get(USERNAME)
        or _credential(environment, CREDENTIAL_USERNAME)
        or settings.username
    )
    password = (
        environment.get(PASSWORD)
        or _credential(environment, CREDENTIAL_PASSWORD)
        or _from_file(settings.password_file)
    )
    if password and not username:
        raise UsageError(
            f"there is a password for the broker and no user name: set mqtt.username or {USERNAME},"
            f" or the credential {CREDENTIAL_USERNAME}"
        )
    for what, text in (("user name", username), ("password", password)):
        _require_sendable(what, text)
    return Login(username, password)


def _credential(environment: Mapping[str, str], name: str) -> str:
    """What systemd loaded under `name`; empty without it."""
    folder = environment.get(DIRECTORY)
    for path in (Path(folder, name), Path(folder, FOLDER + name)) if folder else ():
        if path.exists():
            return _text_of(f"the credential {name}", path)
    return ""


def _from_file(text: str) -> str:
    if not text:
        return ""
    path = user_path(text)
    return _text_of(f"mqtt.password_file {path}", path)


def _text_of(what: str, path: Path) -> str:
    """The file's text, white space around it aside; raises UserError, which names `what`."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UserError(f"cannot read {what}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"cannot read {what}: it is no UTF-8 text") from None
    if not text:
        raise UserError(f"{what} is empty: write into it what the broker wants")
    return text


def _require_sendable(what: str, text: str) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise UsageError(f"the {what} for the broker is no UTF-8 text") from None
    if size > MAX_BYTES:
        raise UsageError(f"the {what} for the broker is too long: MQTT takes {MAX_BYTES} bytes")
