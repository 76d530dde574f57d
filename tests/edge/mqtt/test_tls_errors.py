"""Each reason for which a TLS handshake with a real broker can fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge.common.errors import UserError
from edge.mqtt.broker import Broker, CertificateRefusedError, RefusedError
from edge.mqtt.payloads import Topics
from edge.mqtt.publisher import Publisher
from edge.mqtt.tls import Tls
from edge.outbox.outbox import Outbox
from tests.support.mqtt.brokers import Mosquitto, Subscriber, TlsMosquitto
from tests.support.mqtt.certificates import Authority
from tests.support.waiting import wait_until


def failure_of(broker: Broker, folder: Path) -> UserError:
    """Return the error of a publisher's first attempt to connect."""
    outbox = Outbox(folder / "outbox.sqlite3", 100)
    publisher = Publisher(broker, Topics("maskpatrol", "door1"), outbox)
    publisher.start()
    wait_until(lambda: publisher.failure is not None, "a failure")
    publisher.stop(0.0)
    outbox.close()
    assert publisher.failure is not None
    return publisher.failure


@pytest.mark.slow
@pytest.mark.parametrize("version", ["auto", "5", "3.1.1"])
@pytest.mark.parametrize("tls_version", ["1.2", "1.3"])
def test_delivers_events_with_client_certificate(
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
    listener.wait_for(lambda: len(listener.bodies("status")) == 2, "offline")
    assert listener.bodies("status") == ["online", "offline"]
    listener.close()
    outbox.close()
    server.stop()


@pytest.mark.slow
@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("none", "requires a client certificate"),
        ("expired", "refuses this device's certificate because it has expired"),
        ("strange", "does not trust the authority that signed it"),
    ],
)
def test_client_certificate_refused_by_broker(
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
def test_invalid_broker_certificate_is_refused(
    tmp_path: Path, authority: Authority, days: int, names: str, expected: str
) -> None:
    pair = authority.issue_for_broker(days, names)
    server = TlsMosquitto(tmp_path, authority, pair).start()
    error = failure_of(server.broker, tmp_path)
    server.stop()
    assert isinstance(error, RefusedError)
    assert expected in str(error)


@pytest.mark.parametrize("use_system", [False, True])
def test_broker_certificate_of_another_authority_is_refused(
    tmp_path: Path, authority: Authority, stranger: Authority, use_system: bool
) -> None:
    server = TlsMosquitto(tmp_path, authority).start()
    tls = Tls(ca=None if use_system else stranger.pair.cert)
    error = failure_of(replace(server.broker, tls=tls), tmp_path)
    server.stop()
    assert isinstance(error, CertificateRefusedError)
    assert "not signed by an authority that this device trusts" in str(error)
    assert "set mqtt.ca_file" in str(error)


def test_broker_with_old_tls_version_is_refused(tmp_path: Path, authority: Authority) -> None:
    server = TlsMosquitto(tmp_path, authority, version="1.2").start()
    tls = Tls("1.3", authority.pair.cert)
    error = failure_of(replace(server.broker, tls=tls), tmp_path)
    server.stop()
    assert "no TLS version in common; see mqtt.tls_min_version" in str(error)


def test_plain_port_does_not_speak_tls(mosquitto: Mosquitto, tmp_path: Path) -> None:
    error = failure_of(replace(mosquitto.broker, tls=Tls()), tmp_path)
    assert "does not speak TLS" in str(error)
    assert not isinstance(error, RefusedError)


def test_tls_port_does_not_answer_plain_connection(tmp_path: Path, authority: Authority) -> None:
    server = TlsMosquitto(tmp_path, authority).start()
    error = failure_of(replace(server.broker, tls=None), tmp_path)
    server.stop()
    assert "does it require TLS?" in str(error)


def test_renewed_certificate_is_used_without_restart(
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
    wait_until(lambda: "cannot read mqtt.cert_file" in str(publisher.failure), "the missing file")
    both.write_bytes(new.cert.read_bytes() + new.key.read_bytes())
    wait_until(lambda: publisher.connected, "a connection with the new certificate")
    assert publisher.failure is None
    publisher.stop(5.0)
    outbox.close()
    server.stop()
