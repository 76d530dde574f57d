from __future__ import annotations

from pathlib import Path

import pytest

from edge.common.errors import UserError
from edge.config.settings import MqttSettings
from edge.mqtt.credentials import (
    PASSWORD_VARIABLE,
    USERNAME_VARIABLE,
    Credentials,
    find_credentials,
)


def settings(tmp_path: Path, password: bytes = b" one\n", username: str = "u") -> MqttSettings:
    path = tmp_path / "secret"
    path.write_bytes(password)
    return MqttSettings(username=username, password_file=str(path))


def test_environment_takes_precedence_per_value(tmp_path: Path) -> None:
    configured = settings(tmp_path)
    assert find_credentials(configured, {}) == Credentials("u", "one")
    assert find_credentials(configured, {USERNAME_VARIABLE: "v"}) == Credentials("v", "one")
    assert find_credentials(configured, {PASSWORD_VARIABLE: " p "}) == Credentials("u", " p ")
    assert find_credentials(
        configured, {USERNAME_VARIABLE: "", PASSWORD_VARIABLE: ""}
    ) == Credentials("u", "one")


def test_unneeded_password_file_is_not_read() -> None:
    configured = MqttSettings(username="u", password_file="/none")
    assert find_credentials(configured, {PASSWORD_VARIABLE: "p"}).password == "p"


@pytest.mark.parametrize("prefix", ["", "mask-patrol_"])
def test_systemd_credentials_precede_settings(tmp_path: Path, prefix: str) -> None:
    configured = settings(tmp_path)
    folder = tmp_path / "credentials"
    folder.mkdir()
    environment = {"CREDENTIALS_DIRECTORY": str(folder)}
    assert find_credentials(configured, environment) == Credentials(
        "u", "one"
    )  # the files are optional
    (folder / f"{prefix}mqtt-password").write_text("two\n")
    assert find_credentials(configured, environment) == Credentials("u", "two")
    (folder / f"{prefix}mqtt-username").write_text("door1\n")
    assert find_credentials(configured, environment) == Credentials("door1", "two")
    assert find_credentials(
        configured, {**environment, USERNAME_VARIABLE: "v", PASSWORD_VARIABLE: "p"}
    ) == Credentials("v", "p")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b" \n", "the credential mqtt-password is empty"),
        (b"hush\xff", "cannot read the credential mqtt-password: it is not UTF-8 text"),
    ],
)
def test_unusable_systemd_credential_is_refused(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    (tmp_path / "mqtt-password").write_bytes(content)
    with pytest.raises(UserError, match=expected) as error:
        find_credentials(MqttSettings(username="u"), {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert "hush" not in str(error.value)


def test_user_name_needs_no_password() -> None:
    assert find_credentials(MqttSettings(username="u"), {}) == Credentials("u", "")


@pytest.mark.parametrize(
    ("configured", "environment", "expected"),
    [
        ({"password": b" \n"}, {}, r"secret is empty: write the broker's"),
        ({"password": b"\xff"}, {}, "not UTF-8 text"),
        ({"username": ""}, {}, "no user name: set mqtt.username or MASK_PATROL_MQTT_USERNAME"),
        ({}, {PASSWORD_VARIABLE: "hush\udcff"}, "the password for the broker is not UTF-8 text"),
        ({}, {PASSWORD_VARIABLE: "hush" * 20_000}, "the password for the broker is too long"),
    ],
)
def test_unusable_credentials_are_refused(
    tmp_path: Path, configured: dict[str, object], environment: dict[str, str], expected: str
) -> None:
    with pytest.raises(UserError, match=expected) as error:
        find_credentials(settings(tmp_path, **configured), environment)  # type: ignore[arg-type]
    assert "hush" not in str(error.value)


def test_missing_password_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read mqtt\.password_file .*: No such file"):
        find_credentials(MqttSettings(username="u", password_file=str(tmp_path / "none")), {})


def test_repr_does_not_show_the_password() -> None:
    assert "hush" not in repr(Credentials("u", "hush"))


def test_password_file_of_a_windows_editor_is_read(tmp_path: Path) -> None:
    raw = "\ufeffpässwörd #1\r\n".encode()
    assert find_credentials(settings(tmp_path, raw), {}) == Credentials("u", "pässwörd #1")
    (tmp_path / "mqtt-username").write_bytes(b"\xef\xbb\xbfdoor1\r\n")
    found = find_credentials(settings(tmp_path, raw), {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert found == Credentials("door1", "pässwörd #1")


@pytest.mark.parametrize(("encoding", "name"), [("utf-16", "UTF-16"), ("cp1252", "Windows-1252")])
def test_encoding_of_password_file_is_named(tmp_path: Path, encoding: str, name: str) -> None:
    with pytest.raises(UserError, match=rf"password_file .*{name}.*save it as UTF-8") as error:
        find_credentials(settings(tmp_path, "pässwörd #1\r\n".encode(encoding)), {})
    assert "rd #1" not in str(error.value)
