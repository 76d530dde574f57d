"""The program over TLS: a valid client certificate, and one clear line for each refusal."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.mqtt.credentials import PASSWORD_VARIABLE, USERNAME_VARIABLE
from tests.support.cli_process import (
    environment,
    mask_patrol,
    mask_patrol_error,
    start_mask_patrol,
)
from tests.support.footage.pictures import write_clip
from tests.support.mqtt.brokers import Subscriber, TlsMosquitto
from tests.support.mqtt.certificates import Authority, Pair

DEMO_EVENTS = 4


@dataclass
class TlsDevice:
    """A valid TLS configuration of a device, which the tests make invalid."""

    folder: Path
    server: TlsMosquitto
    authority: Authority
    device: Pair
    password: str = "right"
    more: str = ""

    def config(self) -> Path:
        secret = self.folder / "secret"
        secret.write_text(self.password)
        path = self.folder / "door.toml"
        path.write_text(
            f"device = 'door1'\n[mqtt]\nhost = '127.0.0.1'\nport = {self.server.port}\n"
            f"tls = true\nca_file = '{self.authority.pair.cert}'\n"
            f"cert_file = '{self.device.cert}'\nkey_file = '{self.device.key}'\n"
            f"username = 'door'\npassword_file = '{secret}'\n{self.more}"
        )
        return path


def new_device(tmp_path: Path, authority: Authority, broker: Pair | None = None) -> TlsDevice:
    server = TlsMosquitto(tmp_path, authority, broker, requires_certificate=True, password="right")
    server.start()
    return TlsDevice(tmp_path, server, authority, authority.issue("door"))


def test_everything_works_with_client_certificate(tmp_path: Path, authority: Authority) -> None:
    device = new_device(tmp_path, authority)
    config = device.config()
    check = mask_patrol(tmp_path, "check", "--config", config)
    assert check.returncode == 0, check.stdout
    assert "accepts a message and returns it" in check.stdout
    watcher = start_mask_patrol(tmp_path, "watch", "--config", config)
    assert watcher.stdout is not None
    assert watcher.stdout.readline().startswith("Watching maskpatrol/+/events")
    listener = Subscriber(device.server.broker)
    result = mask_patrol(tmp_path, "run", "--config", config, "--pace", "fast")
    assert (result.returncode, result.stderr) == (0, "")
    listener.wait_for(lambda: listener.bodies("status") == ["online", "offline"], "offline")
    assert len(listener.bodies("events")) == DEMO_EVENTS
    shown = [watcher.stdout.readline() for _ in range(DEMO_EVENTS)]
    assert ["NO MASK" in line for line in shown] == [True, False, True, False]
    watcher.terminate()
    watcher.communicate(timeout=20)
    listener.close()
    device.server.stop()


def refusals(device: TlsDevice) -> list[str]:
    """Return the lines with which check, watch and run report the refusal of the connection.

    Also check that `run` keeps the events, and that no output contains the password.
    """
    config = device.config()
    source = ("--source", write_clip(device.folder / "empty.mp4", [90] * 10))
    check = mask_patrol(device.folder, "check", "--config", config, *source)
    assert check.returncode == 1
    (failed,) = [line for line in check.stdout.splitlines() if line.startswith("FAIL")]
    assert failed.startswith("FAIL  broker")
    watch = mask_patrol(device.folder, "watch", "--config", config)
    run = mask_patrol(device.folder, "run", "--config", config, "--pace", "fast")
    assert run.returncode == 3
    lines = run.stderr.strip().splitlines()
    assert len(lines) == 2, run.stderr  # a line at the refusal, a line at the end
    assert f"{DEMO_EVENTS} events were not delivered" in lines[1]
    for text in (check.stdout + check.stderr, watch.stderr, run.stdout + run.stderr):
        assert "Traceback" not in text
        assert device.password not in text
    with sqlite3.connect(device.folder / "outbox.sqlite3") as database:
        assert database.execute("select count(*) from events").fetchone() == (DEMO_EVENTS,)
    device.server.stop()
    return [failed, mask_patrol_error(watch), *lines]


def test_wrong_authority_is_refused(
    tmp_path: Path, authority: Authority, stranger: Authority
) -> None:
    device = new_device(tmp_path, authority)
    device.authority = stranger
    message = "is not signed by an authority that this device trusts"
    assert all(message in line for line in refusals(device))


def test_wrong_password_is_refused(tmp_path: Path, authority: Authority) -> None:
    device = new_device(tmp_path, authority)
    device.password = "wrong-password"
    message = "refuses user 'door'"
    assert all(message in line for line in refusals(device))


def test_expired_broker_certificate_is_refused(tmp_path: Path, authority: Authority) -> None:
    device = new_device(tmp_path, authority, authority.issue_for_broker(days=-1))
    message = f"the certificate of the broker at 127.0.0.1:{device.server.port} has expired"
    assert all(message in line for line in refusals(device))


def test_expired_device_certificate_is_refused(tmp_path: Path, authority: Authority) -> None:
    device = new_device(tmp_path, authority)
    device.device = authority.issue("late", days=-1)
    message = "refuses this device's certificate because it has expired"
    assert all(message in line for line in refusals(device))


def test_credentials_may_come_from_environment(tmp_path: Path, authority: Authority) -> None:
    device = new_device(tmp_path, authority)
    device.password = "wrong-password"
    config = device.config()
    result = subprocess.run(
        [sys.executable, "-m", "edge", "check", "--config", str(config)],
        env={**environment(tmp_path), USERNAME_VARIABLE: "door", PASSWORD_VARIABLE: "right"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    device.server.stop()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ca_file = 'ca.pem'\n", "`mqtt.ca_file` is set, but `mqtt.tls` is false"),
        ("tls = true\n", "the embedded broker does not support TLS: set"),
        ("host = 'h'\ntls = true\nkey_file = 'k'\n", "`mqtt.key_file` is set without"),
        ("host = 'h'\ntls = true\nca_file = 'none.pem'\n", "cannot read mqtt.ca_file none.pem"),
        ("host = 'h'\npassword_file = '{empty}'\n", "is empty: write the broker's"),
    ],
)
def test_unusable_settings_are_reported(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "empty").touch()
    config = tmp_path / "door.toml"
    config.write_text("[mqtt]\n" + text.replace("{empty}", str(tmp_path / "empty")))
    assert expected in mask_patrol_error(mask_patrol(tmp_path, "run", "--config", config))


def test_home_assistant_templates_match_messages(tmp_path: Path, authority: Authority) -> None:
    """Each discovery template without a default value reads a key that the messages contain."""
    device = new_device(tmp_path, authority)
    device.more = "discovery = true\nhealth_interval_s = 1.0\n"
    listener = Subscriber(device.server.broker, "#")
    daemon = start_mask_patrol(tmp_path, "run", "--config", device.config())
    listener.wait_for(lambda: bool(listener.bodies("config")), "the announcement")
    listener.wait_for(lambda: bool(listener.bodies("health")), "health")
    listener.wait_for(lambda: bool(listener.bodies("state")), "state")
    daemon.terminate()
    daemon.communicate(timeout=30)
    published = {leaf: listener.bodies(leaf)[-1] for leaf in ("health", "state")}
    for component in listener.bodies("config")[0]["components"].values():
        template = component.get("value_template", "")
        if template and "default(" not in template:
            key = template.split("value_json.")[1].split()[0]
            assert key in published[component["state_topic"].rsplit("/", 1)[1]], json.dumps(
                component
            )
    listener.close()
    device.server.stop()
