from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from sdcard.card_files import etc_files, named_hosts, wifi_profile
from sdcard.site import WifiPart, load_site

from edge.common.errors import UsageError
from edge.config.settings import load_settings
from tests.support.card_images import KEY, site_file

EXAMPLE = Path(__file__).parents[3] / "systemd/site.example.toml"


def test_the_example_is_taken_once_its_key_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/id_ed25519.pub").write_text(f"{KEY}\n")
    site = load_site(EXAMPLE)
    assert site.authorized_keys == f"{KEY}\n"


def test_the_daemon_s_part_is_a_configuration_of_its_own(tmp_path: Path) -> None:
    site = load_site(site_file(tmp_path))
    path = tmp_path / "daemon.toml"
    path.write_text(site.configuration, encoding="utf-8")
    settings = load_settings(path)
    assert settings.camera.source == "picamera2"
    assert settings.mqtt.host == "broker.lan"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"hostname": '"door_7"'}, "`hostname`"),
        ({"hostname": ""}, "hostname"),
        ({"hostnam": '"x"'}, "unknown setting `hostnam`; did you mean `hostname`?"),
        ({"wifi": '{sid = "x"}'}, "unknown setting `wifi.sid`; did you mean `wifi.ssid`?"),
        ({"daemon": '{mqtt = {hots = "x"}}'}, "did you mean `daemon.mqtt.host`?"),
        ({"daemon": '{camera = {fps = 0}, mqtt = {host = "x"}}'}, "`daemon.camera.fps`"),
        ({"daemon": '{camera = {source = "demo"}}'}, "`daemon.mqtt.host` is missing"),
        ({"daemon": '{mqtt = {host = "x"}}'}, "`daemon.camera.source` is missing"),
        (
            {
                "daemon": '{camera = {source = "demo"}, mqtt = {host = "x"},'
                " detector = {farthest_m = 1.0, width_px = 81}}"
            },
            "below `daemon`: `detector.width_px` follows",
        ),
        ({"daemon": ""}, "`daemon.camera.source` is missing"),
        ({"user": '{name = "anna"}'}, "nobody could log in"),
        ({"user": '{name = "Anna"}'}, "`user.name`"),
        ({"user": '{ssh_keys = ["no such.pub"]}'}, "no public key"),
        ({"user": '{ssh_keys = ["absent.pub"]}'}, "cannot read"),
        ({"user": '{password_hash = "plain"}'}, "`user.password_hash`"),
        ({"wifi": '{ssid = "x"}'}, "`wifi.country` is missing"),
        ({"storage": "{data_mib = 64}"}, "`storage.data_mib` must be 0 or at least 128"),
        ({"storage": "{data_mib = 99999}"}, "`storage.data_mib`"),
        ({"storage": "{read_only = true}"}, "`storage.read_only` needs `storage.data_mib`"),
        ({"wifi": '{ssid = "x", country = "DE", password = "short"}'}, "8 to 63"),
        ({"wifi": '{password = "long enough"}'}, "`wifi.ssid` is missing"),
        ({"wifi": '{ssid = "x\\ny", country = "DE"}'}, "`wifi.ssid`"),
        ({"broker": '{password = "x"}'}, "no `broker.username`"),
        ({"broker": '{username = "u", password = " x"}'}, "`broker.password` is blank, or"),
        ({"broker": '{username = "u", password = "  "}'}, "`broker.password` is blank, or"),
        ({"broker": '{username = "u ", password = "x"}'}, "`broker.username` is blank, or"),
        ({"broker": '{key_file = "site.toml"}'}, "needs `broker.cert_file`"),
        ({"broker": '{cert_file = "site.toml"}'}, "holds no certificate"),
        ({"broker": '{cert_file = "site.toml"}'}, "holds no private key: name its file"),
        ({"broker": '{cert_file = "a", key_file = "site.toml"}'}, "holds no private key (PEM)"),
        ({"broker": '{username = "u", password_file = "absent"}'}, "cannot read"),
        ({"download": '{url = "https://x/y"}'}, "go together"),
        ({"timezone": '"../../etc/passwd"'}, "`timezone`"),
    ],
)
def test_a_mistake_is_told_in_a_line(
    tmp_path: Path, changes: dict[str, str], complaint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        load_site(site_file(tmp_path, **changes))
    lines = [line for line in str(caught.value).splitlines() if complaint in line]
    assert lines, str(caught.value)


@pytest.mark.parametrize("name", ["root", "mask-patrol", "daemon", "www-data", "systemd-network"])
def test_an_account_of_the_system_s_is_not_given_away(tmp_path: Path, name: str) -> None:
    user = f'{{name = "{name}", ssh_keys = ["{KEY}"]}}'
    with pytest.raises(UsageError, match=f"`user.name`: {name} is the system's own"):
        load_site(site_file(tmp_path, user=user))


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_site(site_file(tmp_path, hostname='"_"', timezone="7"))
    assert len(str(caught.value).splitlines()) == 2


def test_no_message_and_no_representation_shows_a_secret(tmp_path: Path) -> None:
    site = load_site(site_file(tmp_path))
    for thing in (site, site.file, site.file.wifi, site.file.broker, site.file.user):
        assert "s3cret" not in repr(thing)
        assert "pass word" not in repr(thing)
    for changes in ({"wifi": '{ssid = "x", country = "DE", password = "s3cret"}'},):
        with pytest.raises(UsageError) as caught:
            load_site(site_file(tmp_path, **changes))
        assert "s3cret" not in str(caught.value)


def test_the_login_lies_where_only_root_reads_it(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("from-a-file\n")
    path = site_file(tmp_path, broker='{username = "u", password_file = "password"}')
    files = etc_files(load_site(path))
    assert files["/etc/mask-patrol/credentials/mqtt-password"] == (b"from-a-file", 0o600)
    assert files["/etc/mask-patrol/credentials/mqtt-username"] == (b"u", 0o600)
    assert b"from-a-file" not in files["/etc/mask-patrol/mask-patrol.toml"][0]


def test_the_authority_goes_along_and_the_daemon_is_told(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    path = site_file(tmp_path, broker='{ca_file = "ca.pem"}')
    site = load_site(path)
    assert tomllib.loads(site.configuration)["mqtt"]["ca_file"] == "/etc/mask-patrol/ca.pem"
    assert "/etc/mask-patrol/ca.pem" in etc_files(site)


def test_the_device_s_own_certificate_goes_along_and_the_daemon_is_told(tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    (tmp_path / "c.key").write_text("-----BEGIN PRIVATE KEY-----\n")
    site = load_site(site_file(tmp_path, broker='{cert_file = "c.pem", key_file = "c.key"}'))
    mqtt = tomllib.loads(site.configuration)["mqtt"]
    files = etc_files(site)
    for name in ("cert_file", "key_file"):
        assert files[mqtt[name]][0].startswith(b"-----BEGIN")
        assert files[mqtt[name]][1] == 0o600
    assert "PRIVATE" not in repr(site)


def test_hosts_name_the_device_once() -> None:
    hosts = named_hosts(b"127.0.0.1 localhost\n127.0.1.1 old\n", "door7")
    assert hosts == b"127.0.0.1 localhost\n127.0.1.1\tdoor7\n"
    assert named_hosts(hosts, "door7") == hosts


def test_an_open_network_has_no_secret_in_its_profile() -> None:
    assert "psk" not in wifi_profile(WifiPart(ssid="hall", country="DE"))
    assert "ssid=104;97;108;108;" in wifi_profile(WifiPart(ssid="hall", country="DE"))
