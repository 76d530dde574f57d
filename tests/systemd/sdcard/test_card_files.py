"""The files of a site: the kit, the files in /etc, and the kernel parameters."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from sdcard.card_files import (
    MEMORY_ACCOUNTING,
    command_line_with,
    etc_entries,
    etc_files,
    hosts_with,
    kit_files,
    wifi_profile,
)
from sdcard.disk_image.entries import Folder
from sdcard.site import WifiPart, load_site

from tests.support.systemd.card_images import KEY, site_file


def test_only_root_may_read_the_credentials(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("from-a-file\n")
    dashboard = 'dashboard_username = "d", dashboard_password = "e"'
    broker = f'{{username = "u", password_file = "password", {dashboard}}}'
    site = load_site(site_file(tmp_path, broker=broker))
    files = etc_files(site)
    assert files["/etc/mask-patrol-dashboard/mqtt-username"] == (b"d", 0o600)
    assert files["/etc/mask-patrol-dashboard/mqtt-password"] == (b"e", 0o600)
    assert Folder("/etc/mask-patrol-dashboard", mode=0o700) in etc_entries(site, None)
    assert files["/etc/mask-patrol/credentials/mqtt-password"] == (b"from-a-file", 0o600)
    assert files["/etc/mask-patrol/credentials/mqtt-username"] == (b"u", 0o600)
    assert b"from-a-file" not in files["/etc/mask-patrol/mask-patrol.toml"][0]


def test_ca_certificate_is_copied_and_configured(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    path = site_file(tmp_path, broker='{ca_file = "ca.pem"}')
    site = load_site(path)
    assert tomllib.loads(site.configuration)["mqtt"]["ca_file"] == "/etc/mask-patrol/ca.pem"
    assert "/etc/mask-patrol/ca.pem" in etc_files(site)


def test_release_key_is_pinned(tmp_path: Path) -> None:
    (tmp_path / "maker.pub").write_text(f"{KEY}\n")
    files = etc_files(load_site(site_file(tmp_path, release_key='"maker.pub"')))
    assert files["/etc/mask-patrol/release-key.pub"] == (f"{KEY}\n".encode(), 0o644)


def test_client_certificate_is_copied_and_configured(tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    (tmp_path / "c.key").write_text("-----BEGIN PRIVATE KEY-----\n")
    site = load_site(site_file(tmp_path, broker='{cert_file = "c.pem", key_file = "c.key"}'))
    mqtt = tomllib.loads(site.configuration)["mqtt"]
    files = etc_files(site)
    for name in ("cert_file", "key_file"):
        assert files[mqtt[name]][0].startswith(b"-----BEGIN")
        assert files[mqtt[name]][1] == 0o600
    assert "PRIVATE" not in repr(site)


def test_hosts_contains_the_device_once() -> None:
    hosts = hosts_with(b"127.0.0.1 localhost\n127.0.1.1 old\n", "door7")
    assert hosts == b"127.0.0.1 localhost\n127.0.1.1\tdoor7\n"
    assert hosts_with(hosts, "door7") == hosts


def test_open_network_has_no_key_in_its_profile() -> None:
    assert "psk" not in wifi_profile(WifiPart(ssid="hall", country="DE"))
    assert "ssid=104;97;108;108;" in wifi_profile(WifiPart(ssid="hall", country="DE"))


def test_kit_has_a_file_for_each_setting(tmp_path: Path) -> None:
    site = load_site(site_file(tmp_path, storage="{data_mib = 128, read_only = true}"))
    files = kit_files(site)
    settings = {name: files[name].decode() for name in files if name.startswith("settings/")}
    assert settings == {
        "settings/user": "anna\n",
        "settings/authorized_keys": f"{KEY}\n",
        "settings/hostname": "door7\n",
        "settings/timezone": "Europe/Berlin\n",
        "settings/wifi-country": "DE\n",
        "settings/data-partition": "yes\n",
        "settings/read-only": "yes\n",
    }
    assert files["first-boot.sh"].startswith(b"#!/bin/sh\n")


@pytest.mark.parametrize("text", ["quiet", f"{MEMORY_ACCOUNTING} quiet\n"])
def test_command_line_has_memory_accounting_once(text: str) -> None:
    assert command_line_with(text, "") == f"quiet {MEMORY_ACCOUNTING}\n"


def test_command_line_has_the_given_wifi_country() -> None:
    line = command_line_with("cfg80211.ieee80211_regdom=GB quiet", "DE")
    assert line == f"quiet {MEMORY_ACCOUNTING} cfg80211.ieee80211_regdom=DE\n"
    assert "GB" in command_line_with("cfg80211.ieee80211_regdom=GB quiet", "")
