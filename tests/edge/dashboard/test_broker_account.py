"""Which account the dashboard uses at the broker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge.common.errors import UsageError, UserError
from edge.common.secret_files import DIRECTORY_VARIABLE
from edge.config.settings import Settings, change
from edge.dashboard.broker_account import dashboard_broker
from edge.mqtt.credentials import PASSWORD_VARIABLE, USERNAME_VARIABLE
from tests.support.mqtt.certificates import Authority


def settings(folder: Path, **dashboard: Any) -> Settings:
    """Settings in which the daemon has the account `door1` with the password `one`."""
    (folder / "one").write_text("one\n")
    (folder / "three").write_text("three\n")
    mqtt = {"host": "broker.lan", "username": "door1", "password_file": str(folder / "one")}
    return change(Settings(), mqtt=mqtt, dashboard=dashboard)


def credentials(folder: Path) -> dict[str, str]:
    """The environment of a service with the credentials of the user `loaded`."""
    (folder / "mask-patrol_mqtt-username").write_text("loaded\n")
    (folder / "mask-patrol_mqtt-password").write_text("two\n")
    return {DIRECTORY_VARIABLE: str(folder)}


def test_own_account_precedes_that_of_the_daemon(tmp_path: Path) -> None:
    daemon = settings(tmp_path)
    own = settings(tmp_path, mqtt_username="dashboard", mqtt_password_file=str(tmp_path / "three"))
    loaded = credentials(tmp_path)
    given = {**loaded, USERNAME_VARIABLE: "given", PASSWORD_VARIABLE: "four"}
    for configured, environment, account in (
        (daemon, {}, ("door1", "one")),
        (daemon, loaded, ("loaded", "two")),
        (own, {}, ("dashboard", "three")),
        (own, loaded, ("dashboard", "three")),
        (own, given, ("given", "four")),
    ):
        broker = dashboard_broker(configured, environment)
        assert (broker.username, broker.password) == account
        assert broker.host == "broker.lan"


def test_own_account_does_not_use_the_daemons_password(tmp_path: Path) -> None:
    broker = dashboard_broker(settings(tmp_path, mqtt_username="dashboard"), credentials(tmp_path))
    assert (broker.username, broker.password) == ("dashboard", "")


def test_own_client_certificate_replaces_that_of_the_daemon(
    tmp_path: Path, authority: Authority
) -> None:
    door, own = authority.issue("door1"), authority.issue("dashboard")
    files = {"cert_file": str(door.cert), "key_file": str(door.key)}
    configured = change(settings(tmp_path), mqtt={"tls": True, **files})
    used = dashboard_broker(configured, {}).tls
    assert used is not None
    assert used.cert == door.cert
    mine = {"mqtt_cert_file": str(own.cert), "mqtt_key_file": str(own.key)}
    used = dashboard_broker(change(configured, dashboard=mine), {}).tls
    assert used is not None
    assert (used.cert, used.key) == (own.cert, own.key)


@pytest.mark.parametrize(
    ("name", "needed"),
    [("mqtt_password_file", "mqtt_username"), ("mqtt_key_file", "mqtt_cert_file")],
)
def test_incomplete_account_is_refused(tmp_path: Path, name: str, needed: str) -> None:
    with pytest.raises(UsageError, match=f"`dashboard.{name}` needs `dashboard.{needed}`"):
        dashboard_broker(settings(tmp_path, **{name: str(tmp_path / "three")}), {})


def test_error_names_the_setting_of_the_dashboard(tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    own = settings(tmp_path, mqtt_username="dashboard", mqtt_password_file=missing)
    with pytest.raises(UserError, match=f"cannot read dashboard.mqtt_password_file {missing}: "):
        dashboard_broker(own, {})
    shared = change(settings(tmp_path), mqtt={"password_file": missing})
    with pytest.raises(UserError, match=f"cannot read mqtt.password_file {missing}: "):
        dashboard_broker(shared, {})


def test_without_a_host_the_broker_is_on_this_machine() -> None:
    assert dashboard_broker(Settings(), {}).address == "127.0.0.1:1883"
