"""`mask-patrol broker`, with the files of the broker below a folder."""

from __future__ import annotations

import functools
import os
import re
import tomllib
from pathlib import Path

import pytest

from edge.cli.main import main
from edge.service.local_broker import accounts as broker_accounts
from edge.service.local_broker import mosquitto_service, places
from tests.support.mqtt.local_broker import LocalBroker

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="the command is for root")


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalBroker:
    monkeypatch.setattr(places, "Places", functools.partial(places.Places, tmp_path))
    monkeypatch.setattr(mosquitto_service, "BOOTED", tmp_path / "no-systemd")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    (tmp_path / "bin").mkdir()
    systemctl = tmp_path / "bin/systemctl"
    systemctl.write_text("#!/bin/sh\n")
    systemctl.chmod(0o755)
    return LocalBroker(tmp_path)


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """Run the command, which must exit with `code`; return its output or its error."""
    assert main(["broker", *arguments]) == code
    printed = capsys.readouterr()
    return printed.err if code else printed.out


@pytest.mark.parametrize("action", [("setup",), ("add", "door2"), ("list",), ("remove", "door2")])
def test_command_is_for_root(
    action: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "must be run as root: sudo mask-patrol broker" in run(capsys, *action, code=2)


@needs_root
@pytest.mark.usefixtures("local")
@pytest.mark.parametrize("action", [("add", "door2"), ("list",), ("remove", "door2")])
def test_missing_broker_is_explained(
    action: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "sudo mask-patrol broker setup sets one up" in run(capsys, *action, code=2)


@needs_root
def test_new_account_comes_with_its_configuration(
    local: LocalBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = run(capsys, "setup")
    assert "The broker on this device is set up." in printed
    (fingerprint,) = re.findall(r"certificate is (\S+)\.\n", printed)
    added = run(capsys, "add", "door2")
    assert f"The fingerprint (SHA-256) of the certificate is {fingerprint}." in added
    assert local.places.authority.read_text() in added
    (password,) = re.findall(
        r"^printf '%s\\n' (\S+) \| sudo tee \S+/mqtt-password ", added, re.MULTILINE
    )
    assert local.accounts.accepts("door2", password)
    assert password not in local.places.accounts.read_text()
    lines = tomllib.loads(added[added.index('device = "door2"') : added.index("\nThe fingerprint")])
    assert lines["device"] == "door2"
    assert lines["mqtt"].keys() == {"host", "tls", "ca_file"}
    assert "door2 has an account already" in run(capsys, "add", "door2", code=1)
    assert "cannot be the name of an account" in run(capsys, "add", "Tür 2", code=2)
    names = run(capsys, "list").splitlines()
    assert names == [
        f"certificate  {fingerprint}",
        *(f"account      {name}" for name in ("dashboard", "door1", "door2")),
    ]
    assert "door2 has no account at the broker any more" in run(capsys, "remove", "door2")
    assert "there is no account door2" in run(capsys, "remove", "door2", code=1)
    assert "The broker on this device needs no change." in run(capsys, "setup")


@needs_root
def test_other_client_gets_the_data_that_it_needs(
    local: LocalBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    local.places.configuration.write_text(
        "device = 'door1'\n[mqtt]\nbase = 'site1'\ndiscovery_prefix = 'ha'\n"
    )
    run(capsys, "setup")
    added = run(capsys, "add", "homeassistant")
    (password,) = re.findall(r"^password +(\S+)$", added, re.MULTILINE)
    assert local.accounts.accepts("homeassistant", password)
    assert re.search(r"(?m)^port +8883, with TLS$", added)
    assert 'base = "site1"\ndiscovery_prefix = "ha"\n' in run(capsys, "add", "door.2")
    rules = local.places.rules.read_text()
    example = broker_accounts.RULES_EXAMPLE.read_text()
    assert not re.search(r"^\w+ \w+ (maskpatrol|homeassistant)/", rules, re.MULTILINE)
    assert rules.count(" site1/") == example.count(" maskpatrol/")
    assert rules.count(" ha/") == example.count(" homeassistant/") + 1
    assert "topic deny site1/homeassistant/#" in rules
    assert "user door.2\ntopic write ha/device/mask-patrol-door_2e2/config\n" in rules


@needs_root
@pytest.mark.parametrize("content", [b"", b"0\x82\xff\xfe\x00"])
def test_damaged_certificate_is_reported_before_anything_changes(
    local: LocalBroker, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    run(capsys, "setup")
    trusted = local.places.trusted.read_text()
    local.places.authority.write_bytes(content)
    for action in (("list",), ("add", "door2"), ("setup",)):
        error = run(capsys, *action, code=1)
        assert "ca.crt is damaged: restore it" in error
        assert error.count("\n") == 1
    assert local.accounts.names() == ["dashboard", "door1"]
    assert local.places.trusted.read_text() == trusted
    local.places.authority.unlink()
    local.places.authority_key.unlink()
    assert "The broker on this device is set up." in run(capsys, "setup")
    assert local.places.trusted.read_text() not in ("", trusted)
