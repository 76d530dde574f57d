"""The settings that install.sh asks for, or takes as options: camera, broker, name, dashboard.

`install.sh` runs this module with the paths of the configuration, and of the credentials of the
daemon and of the dashboard, and with the answers in its environment, because arguments can be read
by every user of the machine.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from edge.camera.private_source import CREDENTIAL_SOURCE
from edge.camera.source_address import full_spec, is_device, picamera2_number
from edge.camera.source_factory import STREAM_SCHEMES
from edge.common.errors import UsageError, UserError
from edge.common.hidden_passwords import without_password
from edge.common.text_files import NOT_UTF8, read_text
from edge.config.settings import load_settings
from edge.config.toml_edit import with_values
from edge.mqtt.broker import DEFAULT_TLS_PORT
from edge.mqtt.credentials import CREDENTIAL_PASSWORD, CREDENTIAL_USERNAME
from edge.service.local_broker.root_file import write_file

PREFIX = "MASK_PATROL_SETUP_"
#: The value of `broker` for the broker that install.sh sets up on this device.
BROKER_HERE = "here"
#: The value of `dashboard` for one that other machines of the network can open.
IN_NETWORK = "network"
ALL_INTERFACES = "0.0.0.0"


@dataclass(frozen=True)
class FirstSettings:
    """What the user has answered; an empty answer leaves the setting as it is."""

    camera: str = field(default="", repr=False)  # may contain a password
    broker: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    name: str = ""
    dashboard: str = ""
    screen: str = field(default="", repr=False)  # contains a token
    dashboard_username: str = ""
    dashboard_password: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> FirstSettings:
        """Return the answers that install.sh has exported.

        Raises UsageError if one is not UTF-8 text.
        """
        answers = {
            each.name: environment.get(PREFIX + each.name.upper(), "").strip()
            for each in fields(cls)
        }
        for name, text in answers.items():
            try:
                text.encode()
            except UnicodeEncodeError:
                raise UsageError(f"the {name.replace('_', ' ')}: {NOT_UTF8}") from None
        return cls(**answers)


def write_first_settings(
    wanted: FirstSettings, configuration: Path, credentials: Path, dashboard_credentials: Path
) -> None:
    """Write the answers into the file `configuration`, and secrets into the other two folders.

    The folder `dashboard_credentials` is made if there is an account for the dashboard. Comments
    and all other settings stay. Raises UsageError, before anything is written, if an answer is not
    valid, and UserError if a file cannot be changed.
    """
    values: dict[str, dict[str, str | int | bool]] = {"": {}, "camera": {}, "mqtt": {}}
    if wanted.name:
        values[""]["title"] = wanted.name
    camera = usable_camera(wanted.camera) if wanted.camera else ""
    has_secret = without_password(camera) != camera
    if camera and not has_secret:
        values["camera"]["source"] = camera
    if wanted.broker not in ("", BROKER_HERE):
        values["mqtt"] = broker_values(wanted.broker)
    if wanted.dashboard == IN_NETWORK:
        values["dashboard"] = {"host": ALL_INTERFACES}
    if wanted.screen:
        values["door_screen"] = {"address": wanted.screen}
    _write(configuration, values)
    if has_secret:
        write_file(credentials / CREDENTIAL_SOURCE, f"{camera}\n", 0o600)
    elif camera:  # the address there would replace the one in the configuration
        (credentials / CREDENTIAL_SOURCE).unlink(missing_ok=True)
    _write_account(credentials, wanted.username, wanted.password)
    if wanted.dashboard_username:
        if dashboard_credentials.is_symlink():  # of an earlier installation: the daemon's account
            dashboard_credentials.unlink()
        dashboard_credentials.mkdir(0o700, exist_ok=True)
    _write_account(dashboard_credentials, wanted.dashboard_username, wanted.dashboard_password)


def _write_account(folder: Path, username: str, password: str) -> None:
    """Write an account at the broker into `folder`; without a user name, nothing is changed."""
    if not username:
        return
    write_file(folder / CREDENTIAL_USERNAME, f"{username}\n", 0o600)
    if password:
        write_file(folder / CREDENTIAL_PASSWORD, f"{password}\n", 0o600)
    else:  # that of another account may be there, from an installation that failed
        (folder / CREDENTIAL_PASSWORD).unlink(missing_ok=True)


def usable_camera(text: str) -> str:
    """Return the source that `text` names, whether it is connected or not.

    Raises UsageError if the service cannot use it; the message does not contain `text`, which may
    be a password.
    """
    spec = full_spec(text)
    scheme, separator, _ = spec.partition("://")
    if separator and scheme.lower() in STREAM_SCHEMES:
        return spec
    if is_device(spec) or picamera2_number(spec) is not None or spec.startswith("/"):
        return text if picamera2_number(spec) is not None else spec  # as users write it
    raise UsageError(
        "the camera must be picamera2, a device such as /dev/video0, an address that begins with"
        f" {', '.join(f'{scheme}://' for scheme in STREAM_SCHEMES)}, or the absolute path of a file"
    )


def broker_values(text: str) -> dict[str, str | int | bool]:
    """Return the settings of the broker `HOST` or `HOST:PORT`; raises UsageError."""
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\s:\[\]/@]+)(?::([0-9]{1,5}))?", text)
    if found is None:
        raise UsageError(f"the broker must be here, HOST, HOST:PORT or [IPV6]:PORT, not {text!r}")
    values: dict[str, str | int | bool] = {"host": found[1].strip("[]")}
    if found[2]:
        values |= {"port": int(found[2]), "tls": int(found[2]) == DEFAULT_TLS_PORT}
    return values


def _write(path: Path, values: Mapping[str, Mapping[str, str | int | bool]]) -> None:
    """Set the values of each table in the file; raises UsageError if one is not valid."""
    if not any(values.values()):
        return
    load_settings(path)  # all mistakes in the present file are reported first
    text = edited = read_text(path)
    for table, wanted in values.items():
        present = tomllib.loads(edited)
        present = present.get(table, {}) if table else present
        changes = {key: value for key, value in wanted.items() if present.get(key) != value}
        if not changes:
            continue
        changed = with_values(edited, table, changes)
        if changed is None or path.is_symlink():
            raise UserError(
                f"{path} cannot be changed automatically: set {', '.join(wanted)}"
                f" {f'in [{table}] ' if table else ''}by hand, and leave out the option"
            )
        edited = changed
    if edited == text:
        return
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / path.name
        trial.write_text(edited, encoding="utf-8")
        try:
            load_settings(trial)
        except UsageError as error:
            raise UsageError(str(error).replace(f"{trial}: ", "")) from None
    found = path.stat()
    write_file(path, edited, found.st_mode & 0o777, found.st_gid)


def main(arguments: list[str]) -> int:
    """Write the answers in the environment; return the exit code."""
    configuration, credentials, dashboard_credentials = map(Path, arguments)
    try:
        answers = FirstSettings.from_environment(os.environ)
        write_first_settings(answers, configuration, credentials, dashboard_credentials)
    except (UserError, OSError) as error:
        sys.stderr.write(f"install.sh: {error}\n")
        return error.exit_code if isinstance(error, UserError) else UserError.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
