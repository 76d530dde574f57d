"""Errors in the TLS settings and in each certificate file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.common.errors import UsageError, UserError
from edge.config.settings import MqttSettings
from edge.mqtt.tls import Tls
from tests.support.encodings import save_with_mark
from tests.support.mqtt.certificates import Authority, encrypted


@pytest.mark.parametrize("setting", ["ca_file", "cert_file", "key_file"])
def test_file_without_tls_is_refused(setting: str) -> None:
    with pytest.raises(UsageError, match=f"`mqtt.{setting}` is set, but `mqtt.tls` is false"):
        Tls.from_settings(MqttSettings(**{setting: "x.pem"}))


def test_key_without_certificate_is_refused() -> None:
    with pytest.raises(UsageError, match=r"set without `mqtt\.cert_file`"):
        Tls.from_settings(MqttSettings(tls=True, key_file="x.pem"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda f: {"ca_file": f["none"]}, "cannot read mqtt.ca_file .*No such file"),
        (lambda f: {"ca_file": f["folder"]}, "cannot read mqtt.ca_file .*directory"),
        (lambda f: {"ca_file": f["junk"]}, "ca_file .* contains no certificate in PEM"),
        (lambda f: {"ca_file": f["broken"]}, "ca_file .* is damaged"),
        (lambda f: {"cert_file": f["none"]}, "cannot read mqtt.cert_file"),
        (lambda f: {"cert_file": f["key"]}, "cert_file .* contains no certificate"),
        (lambda f: {"cert_file": f["cert"], "key_file": ""}, "contains no private key: set"),
        (lambda f: {"cert_file": f["broken"]}, "is damaged"),
        (lambda f: {"key_file": f["none"]}, "cannot read mqtt.key_file"),
        (lambda f: {"key_file": f["cert"]}, "key_file .* contains no private key"),
        (lambda f: {"key_file": f["other key"]}, "does not belong to the certificate"),
        (lambda f: {"key_file": f["encrypted"]}, "protected by a password"),
    ],
)
def test_unusable_files_are_refused(
    tmp_path: Path,
    authority: Authority,
    change: Callable[[dict[str, Path]], dict[str, object]],
    expected: str,
) -> None:
    door, other = authority.issue("door"), authority.issue("other")
    files = {
        "none": tmp_path / "none.pem",
        "folder": tmp_path,
        "junk": tmp_path / "junk.pem",
        "broken": tmp_path / "broken.pem",
        "cert": door.cert,
        "key": door.key,
        "other key": other.key,
        "encrypted": encrypted(door.key),
    }
    files["junk"].write_bytes(os.urandom(1000))
    files["broken"].write_text(
        "-----BEGIN CERTIFICATE-----\nMIIBljunk\n-----END CERTIFICATE-----\n"
    )
    good = {"ca_file": authority.pair.cert, "cert_file": door.cert, "key_file": door.key}
    assert Tls.from_settings(settings(good)) is not None
    with pytest.raises(UserError, match=expected) as error:
        Tls.from_settings(settings({**good, **change(files)}))
    assert "\n" not in str(error.value)


def settings(files: dict[str, object]) -> MqttSettings:
    return MqttSettings(tls=True, **{name: str(path) for name, path in files.items()})


def test_certificate_and_key_may_share_a_file(tmp_path: Path, authority: Authority) -> None:
    door = authority.issue("door")
    both = tmp_path / "both.pem"
    both.write_bytes(door.cert.read_bytes() + door.key.read_bytes())
    assert Tls.from_settings(MqttSettings(tls=True, cert_file=str(both))) is not None


def test_plain_settings_have_no_tls() -> None:
    assert Tls.from_settings(MqttSettings(host="b")) is None


def test_files_of_a_windows_editor_are_used(authority: Authority) -> None:
    door = authority.issue("marked")
    files = {"ca_file": authority.pair.cert, "cert_file": door.cert, "key_file": door.key}
    for path in files.values():
        save_with_mark(path)
    tls = Tls.from_settings(settings(files))
    assert tls is not None
    assert len(tls.context().get_ca_certs()) == 1


def test_file_in_utf_16_is_named(authority: Authority) -> None:
    ca = save_with_mark(authority.pair.cert, "utf-16-le")
    with pytest.raises(UserError, match=r"cannot read mqtt\.ca_file .* UTF-16: save it as UTF-8"):
        Tls.from_settings(settings({"ca_file": ca}))
