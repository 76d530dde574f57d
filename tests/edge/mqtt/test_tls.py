"""Every file that can be wrong, and every handshake that can fail, against a real broker."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge.common.errors import UsageError, UserError
from edge.config.settings import MqttSettings
from edge.mqtt.broker import Broker, CertificateRefusedError, RefusedError
from edge.mqtt.payloads import Topics
from edge.mqtt.publisher import Publisher
from edge.mqtt.tls import Tls
from edge.outbox.outbox import Outbox
from tests.support.brokers import Mosquitto, Subscriber, TlsMosquitto, wait_until
from tests.support.certificates import Authority, encrypted


def failure_of(broker: Broker, folder: Path) -> UserError:
    """What a publisher says of it, at its first attempt."""
    outbox = Outbox(folder / "outbox.sqlite3", 100)
    publisher = Publisher(broker, Topics("maskpatrol", "door1"), outbox)
    publisher.start()
    wait_until(lambda: publisher.failure is not None, "a failure")
    publisher.stop(0.0)
    outbox.close()
    assert publisher.failure is not None
    return publisher.failure


def test_the_port_of_tls_is_another() -> None:
    assert Broker.from_settings(MqttSettings(host="h")).port == 1883
    assert Broker.from_settings(MqttSettings(host="h", tls=True)).port == 8883
    assert Broker.from_settings(MqttSettings(host="h", tls=True, port=1)).port == 1


@pytest.mark.parametrize("setting", ["ca_file", "cert_file", "key_file"])
def test_files_without_tls_are_a_mistake(setting: str) -> None:
    with pytest.raises(UsageError, match=f"`mqtt.{setting}` is set, but `mqtt.tls` is false"):
        Tls.from_settings(MqttSettings(**{setting: "x.pem"}))


def test_a_key_without_a_certificate_is_a_mistake() -> None:
    with pytest.raises(UsageError, match=r"set without `mqtt\.cert_file`"):
        Tls.from_settings(MqttSettings(tls=True, key_file="x.pem"))


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
def test_files_that_cannot_be_used(
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


def test_a_certificate_and_its_key_may_share_a_file(tmp_path: Path, authority: Authority) -> None:
    door = authority.issue("door")
    both = tmp_path / "both.pem"
    both.write_bytes(door.cert.read_bytes() + door.key.read_bytes())
    assert Tls.from_settings(MqttSettings(tls=True, cert_file=str(both))) is not None


@pytest.mark.parametrize("version", ["auto", "5", "3.1.1"])
@pytest.mark.parametrize("tls_version", ["1.2", "1.3"])
def test_events_go_out_over_tls_with_a_client_certificate(
    tmp_path: Path, authority: Authority, version: str, tls_version: str
) -> None:
    server = TlsMosquitto(
        tmp_path, authority, requires_certificate=True, version=tls_version
    ).start()
    listener = Subscriber(server.broker)
    outbox = Outbox(tmp_path / "outbox.sqlite3", 100)
    outbox.put({"n": 0})
    publisher = Publisher(
        replace(server.broker, version=version), Topics("maskpatrol", "door1"), outbox
    )
    publisher.start()
    listener.wait_for(lambda: len(listener.bodies("events")) == 1, "the event")
    publisher.stop(5.0)
    listener.wait_for(lambda: listener.bodies("status") == ["online", "offline"], "the farewell")
    listener.close()
    outbox.close()
    server.stop()


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("none", "requires a client certificate"),
        ("expired", "refuses this device's certificate because it has expired"),
        ("strange", "does not trust the authority that signed it"),
    ],
)
def test_a_client_certificate_that_the_broker_refuses(
    tmp_path: Path,
    authority: Authority,
    stranger: Authority,
    version: str,
    client: str,
    expected: str,
) -> None:
    server = TlsMosquitto(tmp_path, authority, requires_certificate=True, version=version).start()
    pair = {
        "none": None,
        "expired": authority.issue("expired", days=-1),
        "strange": stranger.issue("strange"),
    }[client]
    tls = Tls(
        ca=authority.pair.cert, cert=pair.cert if pair else None, key=pair.key if pair else None
    )
    error = failure_of(replace(server.broker, tls=tls), tmp_path)
    server.stop()
    assert isinstance(error, CertificateRefusedError)
    if (client, version) == ("none", "1.2"):
        expected = "does it require a client certificate"
    assert expected in str(error)


@pytest.mark.parametrize(
    ("days", "names", "expected"),
    [
        (-1, "IP:127.0.0.1", "has expired"),
        (30, "DNS:broker.lan,IP:192.0.2.1", "is not for '127.0.0.1'"),
    ],
)
def test_a_certificate_of_the_broker_that_we_refuse(
    tmp_path: Path, authority: Authority, days: int, names: str, expected: str
) -> None:
    pair = authority.issue_for_broker(days, names)
    server = TlsMosquitto(tmp_path, authority, pair).start()
    error = failure_of(server.broker, tmp_path)
    server.stop()
    assert isinstance(error, RefusedError)
    assert expected in str(error)


@pytest.mark.parametrize("system", [False, True])
def test_a_broker_of_another_authority(
    tmp_path: Path, authority: Authority, stranger: Authority, system: bool
) -> None:
    server = TlsMosquitto(tmp_path, authority).start()
    tls = Tls(ca=None if system else stranger.pair.cert)
    error = failure_of(replace(server.broker, tls=tls), tmp_path)
    server.stop()
    assert isinstance(error, CertificateRefusedError)
    assert "not signed by an authority that this device trusts" in str(error)
    assert "set mqtt.ca_file" in str(error)


def test_a_broker_whose_tls_is_too_old(tmp_path: Path, authority: Authority) -> None:
    server = TlsMosquitto(tmp_path, authority, version="1.2").start()
    tls = Tls("1.3", authority.pair.cert)
    error = failure_of(replace(server.broker, tls=tls), tmp_path)
    server.stop()
    assert "no TLS version in common; see mqtt.tls_min_version" in str(error)


def test_tls_spoken_to_a_plain_port(mosquitto: Mosquitto, tmp_path: Path) -> None:
    error = failure_of(replace(mosquitto.broker, tls=Tls()), tmp_path)
    assert "does not speak TLS" in str(error)
    assert not isinstance(error, RefusedError)


def test_plain_words_spoken_to_a_tls_port(tmp_path: Path, authority: Authority) -> None:
    server = TlsMosquitto(tmp_path, authority).start()
    error = failure_of(replace(server.broker, tls=None), tmp_path)
    server.stop()
    assert "does it want TLS?" in str(error)


def test_a_renewed_certificate_is_taken_up_without_a_restart(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.mqtt.reconnect_backoff.REFUSED_DELAY_S", 0.1)
    monkeypatch.setattr("edge.mqtt.reconnect_backoff.MAX_DELAY_S", 0.1)
    server = TlsMosquitto(tmp_path, authority, requires_certificate=True).start()
    old, new = authority.issue("old", days=-1), authority.issue("new")
    both = tmp_path / "door.pem"
    both.write_bytes(old.cert.read_bytes() + old.key.read_bytes())
    outbox = Outbox(tmp_path / "outbox.sqlite3", 100)
    broker = replace(server.broker, tls=Tls(ca=authority.pair.cert, cert=both))
    publisher = Publisher(broker, Topics("maskpatrol", "door1"), outbox)
    publisher.start()
    wait_until(lambda: "expired" in str(publisher.failure), "the refusal")
    both.unlink()
    wait_until(lambda: "cannot read mqtt.cert_file" in str(publisher.failure), "the gap")
    both.write_bytes(new.cert.read_bytes() + new.key.read_bytes())
    wait_until(lambda: publisher.connected, "in with the new one")
    publisher.stop(5.0)
    outbox.close()
    server.stop()
