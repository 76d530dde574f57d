"""`site.toml`: what is accepted, and the error for each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
from sdcard.site import load_site

from edge.common.errors import UsageError
from edge.config.settings import load_settings
from tests.support.encodings import save_with_mark
from tests.support.systemd.card_images import KEY, site_file

EXAMPLE = Path(__file__).parents[3] / "systemd/site.example.toml"


def test_example_is_valid_once_its_key_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/id_ed25519.pub").write_text(f"{KEY}\n")
    site = load_site(EXAMPLE)
    assert site.authorized_keys == f"{KEY}\n"


def test_daemon_section_becomes_a_configuration(tmp_path: Path) -> None:
    site = load_site(site_file(tmp_path))
    path = tmp_path / "daemon.toml"
    path.write_text(site.configuration, encoding="utf-8")
    settings = load_settings(path)
    assert settings.camera.source == "picamera2"
    assert settings.mqtt.host == "broker.lan"


@pytest.mark.parametrize(
    ("changes", "expected"),
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
            "below `daemon`: `detector.width_px` is derived",
        ),
        ({"daemon": ""}, "`daemon.camera.source` is missing"),
        ({"user": '{name = "anna"}'}, "no login is possible"),
        ({"user": '{name = "Anna"}'}, "`user.name`"),
        ({"user": '{ssh_keys = ["no such.pub"]}'}, "neither a public key nor a file name"),
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
        ({"broker": '{dashboard_password = "x"}'}, "needs `broker.dashboard_username`"),
        ({"broker": '{dashboard_username = " x"}'}, "`broker.dashboard_username` is blank, or"),
        ({"broker": '{username = "u", password = " x"}'}, "`broker.password` is blank, or"),
        ({"broker": '{username = "u", password = "  "}'}, "`broker.password` is blank, or"),
        ({"broker": '{username = "u ", password = "x"}'}, "`broker.username` is blank, or"),
        ({"broker": '{key_file = "site.toml"}'}, "needs `broker.cert_file`"),
        ({"broker": '{cert_file = "site.toml"}'}, "contains no certificate"),
        ({"broker": '{cert_file = "site.toml"}'}, "contains no private key: set `broker.key_file`"),
        ({"broker": '{cert_file = "a", key_file = "site.toml"}'}, "contains no private key (PEM)"),
        ({"broker": '{username = "u", password_file = "absent"}'}, "cannot read"),
        ({"download": '{url = "https://x/y"}'}, "must be set together"),
        ({"timezone": '"../../etc/passwd"'}, "`timezone`"),
        ({"release_key": '"absent.pub"'}, "`release_key`: cannot read"),
        ({"release_key": '"site.toml"'}, "`release_key`: site.toml is no public key"),
    ],
)
def test_mistake_is_reported_in_a_line(
    tmp_path: Path, changes: dict[str, str], expected: str
) -> None:
    with pytest.raises(UsageError) as caught:
        load_site(site_file(tmp_path, **changes))
    lines = [line for line in str(caught.value).splitlines() if expected in line]
    assert lines, str(caught.value)


@pytest.mark.parametrize("name", ["root", "mask-patrol", "daemon", "www-data", "systemd-network"])
def test_reserved_user_name_is_refused(tmp_path: Path, name: str) -> None:
    user = f'{{name = "{name}", ssh_keys = ["{KEY}"]}}'
    with pytest.raises(UsageError, match=f"`user.name`: {name} is reserved by the system"):
        load_site(site_file(tmp_path, user=user))


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_site(site_file(tmp_path, hostname='"_"', timezone="7"))
    assert len(str(caught.value).splitlines()) == 2


def test_secrets_are_not_in_messages_or_representations(tmp_path: Path) -> None:
    site = load_site(site_file(tmp_path))
    for thing in (site, site.file, site.file.wifi, site.file.broker, site.file.user):
        assert "s3cret" not in repr(thing)
        assert "pass word" not in repr(thing)
    for changes in ({"wifi": '{ssid = "x", country = "DE", password = "s3cret"}'},):
        with pytest.raises(UsageError) as caught:
            load_site(site_file(tmp_path, **changes))
        assert "s3cret" not in str(caught.value)


def test_files_of_a_windows_editor_are_read(tmp_path: Path) -> None:
    (tmp_path / "password.txt").write_text("pässwörd #1\n", encoding="utf-8")
    (tmp_path / "key.pub").write_text(f"{KEY}\n")
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nAA==\n")
    path = site_file(
        tmp_path,
        user='{ssh_keys = ["key.pub"]}',
        broker='{username = "u", password_file = "password.txt", ca_file = "ca.pem"}',
    )
    for file in (path, *(tmp_path / name for name in ("password.txt", "key.pub", "ca.pem"))):
        save_with_mark(file)
    site = load_site(path)
    assert (site.broker_password, site.authorized_keys) == ("pässwörd #1", f"{KEY}\n")
    assert site.ca.startswith(b"-----BEGIN")
    for name in ("password.txt", "key.pub", "ca.pem"):
        file = tmp_path / name
        file.write_bytes(file.read_bytes().decode("utf-8-sig").encode("utf-16"))
    with pytest.raises(UsageError) as error:
        load_site(path)
    lines = str(error.value).splitlines()
    assert [line.rpartition(": cannot")[0] for line in lines if "but UTF-16: save it" in line] == [
        f"{path}: `{setting}`"
        for setting in ("user.ssh_keys", "broker.password_file", "broker.ca_file")
    ]
