"""What install.sh asks for is written into the configuration, and passwords beside it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from edge.common.errors import UsageError, UserError
from edge.common.paths import PACKAGE
from edge.config.settings import load_settings
from edge.service.first_settings import FirstSettings, main, write_first_settings


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The example, as install.sh installs it."""
    (tmp_path / "credentials").mkdir()
    shutil.copy(PACKAGE / "config.example.toml", tmp_path / "mask-patrol.toml")
    return tmp_path / "mask-patrol.toml"


def arguments(config: Path) -> list[str]:
    """Return what install.sh gives the command."""
    return [str(config), str(config.with_name("credentials")), str(config.with_name("desk"))]


def write(config: Path, **answers: str) -> dict[str, str]:
    """Write the answers; return the files with secrets."""
    folder = config.with_name("credentials")
    write_first_settings(FirstSettings(**answers), config, folder, config.with_name("desk"))
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_answers_are_written_into_the_example(config: Path) -> None:
    before = config.read_text()
    secrets = write(
        config, camera="picamera2", broker="192.0.2.9:8883", username="door1", password="s3cret",
        name="Tür 1", dashboard="network",
    )  # fmt: skip
    settings = load_settings(config)
    assert (settings.title, settings.camera.source) == ("Tür 1", "picamera2")
    mqtt = settings.mqtt
    assert (mqtt.host, mqtt.port, mqtt.tls) == ("192.0.2.9", 8883, True)
    assert settings.dashboard.host == "0.0.0.0"
    assert secrets == {"mqtt-username": "door1\n", "mqtt-password": "s3cret\n"}
    comments = [line for line in before.splitlines() if line.startswith("#")]
    assert [line for line in config.read_text().splitlines() if line.startswith("#")] == comments
    changed = config.stat().st_mtime_ns
    write(config, camera="picamera2", broker="192.0.2.9:8883", name="Tür 1", dashboard="network")
    assert config.stat().st_mtime_ns == changed


@pytest.mark.parametrize("was_linked", [False, True])
def test_dashboard_gets_an_account_of_its_own(config: Path, was_linked: bool) -> None:
    desk = config.with_name("desk")
    if was_linked:  # a dashboard of an early version used the account of the daemon
        desk.symlink_to("credentials")
    secrets = write(
        config, broker="192.0.2.9", username="door1", password="s3cret",
        dashboard="network", dashboard_username="desk", dashboard_password="t0p",
    )  # fmt: skip
    assert secrets == {"mqtt-username": "door1\n", "mqtt-password": "s3cret\n"}
    assert {path.name: path.read_text() for path in desk.iterdir()} == {
        "mqtt-username": "desk\n", "mqtt-password": "t0p\n",
    }  # fmt: skip
    assert [path.lstat().st_mode & 0o777 for path in (desk, *desk.iterdir())] == [
        0o700, 0o600, 0o600,
    ]  # fmt: skip
    assert "t0p" not in config.read_text()


def test_account_without_a_password_gets_none_of_another_account(config: Path) -> None:
    account = {"username": "door1", "dashboard_username": "desk"}
    passwords = {"password": "s3cret", "dashboard_password": "t0p"}
    write(config, **account, **passwords)
    assert write(config, **account) == {"mqtt-username": "door1\n"}
    assert [path.name for path in config.with_name("desk").iterdir()] == ["mqtt-username"]
    # A password alone would keep the daemon from starting.
    config.with_name("credentials").joinpath("mqtt-username").unlink()
    assert write(config, **passwords) == {}


def test_link_of_a_screen_is_written(config: Path) -> None:
    link = "https://desk/door/door1?token=abc"
    assert write(config, screen=link) == {}
    assert load_settings(config).door_screen.address == link


def test_no_answer_changes_nothing(config: Path) -> None:
    before = config.read_text()
    assert write(config, broker="here") == {}
    assert config.read_text() == before


def test_address_with_a_password_is_kept_out_of_the_configuration(config: Path) -> None:
    address = "rtsp://me:s3cret@192.0.2.20/stream1"
    assert write(config, camera=address) == {"camera-source": f"{address}\n"}
    assert "s3cret" not in config.read_text()
    assert write(config, camera="/dev/video0") == {}  # else the address would still be used
    assert load_settings(config).camera.source == "/dev/video0"


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"camera": "picamera"}, "the camera must be picamera2, a device such as"),
        ({"camera": "gopher://192.0.2.20"}, "an address that begins with rtsp://"),
        ({"broker": "mqtt://192.0.2.9"}, "the broker must be here, HOST, HOST:PORT"),
        ({"broker": "192.0.2.9:99999"}, "port"),
        ({"screen": "desk"}, "expected the link of a screen from the dashboard, such as"),
        ({"name": "x" * 65}, "a title has at most 64 characters, and this one has 65"),
    ],
)
def test_invalid_answer_is_refused_with_what_to_write(
    config: Path, answers: dict[str, str], message: str
) -> None:
    before = config.read_text()
    with pytest.raises(UsageError, match=message) as caught:
        write(config, **answers)
    assert str(config.parent) not in str(caught.value)
    assert config.read_text() == before


def test_configuration_that_cannot_be_edited_is_left(config: Path) -> None:
    config.write_text("mqtt = {host = ''}\n")
    with pytest.raises(UserError, match="set host in \\[mqtt\\] by hand"):
        write(config, broker="192.0.2.9")


def test_command_reports_a_mistake_in_one_line(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MASK_PATROL_SETUP_NAME", "two\nlines")
    assert main(arguments(config)) == 2
    error = capsys.readouterr().err
    assert (error.startswith("install.sh: "), error.count("\n")) == (True, 1)
    monkeypatch.setenv("MASK_PATROL_SETUP_NAME", " 木のドア ")
    assert main(arguments(config)) == 0
    assert load_settings(config).title == "木のドア"


@pytest.mark.parametrize(
    "name", ["name", "camera", "broker", "username", "password", "dashboard_password"]
)
def test_answer_in_another_encoding_is_refused_before_anything_is_written(
    config: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = config.read_text()
    typed = os.fsdecode("rtsp://me:s3cr\xe9t@h/".encode("latin-1"))
    monkeypatch.setenv("MASK_PATROL_SETUP_CAMERA", "/dev/video0")
    monkeypatch.setenv(f"MASK_PATROL_SETUP_{name.upper()}", typed)
    assert main(arguments(config)) == 2
    assert capsys.readouterr().err == (
        f"install.sh: the {name.replace('_', ' ')}: what was typed is not UTF-8 text: set the"
        " encoding of the terminal to UTF-8\n"
    )
    assert config.read_text() == before
    assert list((config.parent / "credentials").iterdir()) == []
