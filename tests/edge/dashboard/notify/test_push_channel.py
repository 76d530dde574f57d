from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from edge.common.errors import UserError
from edge.dashboard.notify.base64url import from_base64url
from edge.dashboard.notify.message_text import Message
from edge.dashboard.notify.push_channel import PushChannel
from edge.dashboard.notify.push_encryption import MAX_MESSAGE_BYTES, encrypt
from edge.dashboard.notify.push_subscriptions import BrowserSubscription, Subscription
from edge.dashboard.notify.vapid_key import VapidKey, load_vapid_key
from tests.support.clock import Clock
from tests.support.dashboard.events import NOW_S
from tests.support.dashboard.push_service import PushBrowser, verified_claims
from tests.support.dashboard.receivers import HttpReceiver

MESSAGE = Message("No mask at 入口 <b>", "A person.\n" * 300, "guard/alert:1")


@pytest.fixture
def key(tmp_path: Path) -> VapidKey:
    return load_vapid_key(tmp_path / "key.pem")


@pytest.fixture
def service() -> Iterator[HttpReceiver]:
    with HttpReceiver() as receiver:
        yield receiver


def subscription(browser: PushBrowser) -> Subscription:
    keys = browser.subscription["keys"]
    return Subscription(1, browser.endpoint, keys["p256dh"], keys["auth"], "", "Firefox", NOW_S)


def test_message_is_encrypted_for_the_browser_and_signed(
    key: VapidKey, service: HttpReceiver
) -> None:
    browser = PushBrowser(service.push_address)
    channel = PushChannel(subscription(browser), key, 600.0, Clock(NOW_S))
    assert channel.send(MESSAGE).error == ""
    assert channel.send(MESSAGE).error == ""
    (_, headers, body), (_, again, other_body) = service.requests
    assert browser.decrypt(body)["title"] == MESSAGE.title
    assert browser.decrypt(body) == browser.decrypt(other_body)
    assert body != other_body
    assert b"mask" not in body
    assert (headers["ttl"], headers["content-encoding"]) == ("600", "aes128gcm")
    assert headers["topic"] == again["topic"] == browser.decrypt(body)["tag"]
    assert len(headers["topic"]) == 32
    claims = verified_claims(headers["authorization"])
    assert claims["aud"] == f"http://127.0.0.1:{service.port}"
    assert 0 < claims["exp"] - NOW_S <= 24 * 3600


@pytest.mark.parametrize(
    ("status", "is_gone"), [(404, True), (410, True), (429, False), (301, False)]
)
def test_refusal_is_reported(
    key: VapidKey, service: HttpReceiver, status: int, is_gone: bool
) -> None:
    service.behaviour, service.status = "fails", status
    channel = PushChannel(subscription(PushBrowser(service.push_address)), key, 600.0)
    result = channel.send(MESSAGE)
    assert result.is_gone is is_gone
    assert ("subscription" if is_gone else str(status)) in result.error
    assert len(service.requests) == 1


def test_unreachable_service_and_invalid_key(key: VapidKey) -> None:
    found = subscription(PushBrowser("http://127.0.0.1:1/push"))
    assert PushChannel(found, key, 60.0).send(MESSAGE).error == (
        "the receiver refused the connection"
    )
    assert PushChannel(replace(found, p256dh="BA" * 44), key, 60.0).send(MESSAGE).is_gone


def test_largest_message_fits_into_a_push_request() -> None:
    browser = PushBrowser("https://push.example.org/1")
    found = msgspec.convert(browser.subscription, BrowserSubscription)
    raw = subscription(browser)
    assert found.keys.auth == raw.auth
    public, auth = from_base64url(raw.p256dh), from_base64url(raw.auth)
    assert len(encrypt(b"x" * MAX_MESSAGE_BYTES, public, auth)) == 4096
    with pytest.raises(ValueError, match="at most"):
        encrypt(b"x" * (MAX_MESSAGE_BYTES + 1), public, auth)


def test_key_is_private_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    first = load_vapid_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_vapid_key(path).public == first.public
    assert "PRIVATE" not in repr(first)
    path.write_text("damaged")
    with pytest.raises(UserError, match="is damaged: delete it"):
        load_vapid_key(path)
    with pytest.raises(UserError, match="cannot use the key"):
        load_vapid_key(tmp_path / "none" / "key.pem")


@pytest.mark.parametrize(
    "changes",
    [
        {"endpoint": "http://push.example.org/1"},
        {"endpoint": "https://127.0.0.1/1"},
        {"endpoint": "https://[::1]/1"},
        {"endpoint": "https://localhost./1"},
        {"endpoint": "https://127.0.0.1./1"},
        {"endpoint": "https://127.0.0.0x1/1"},
        {"endpoint": "https://0x7F.0.0.0X1/1"},
        {"endpoint": "https://localhost/1"},
        {"endpoint": "https://user@push.example.org/1"},
        {"endpoint": "https://push.example.org/" + "x" * 1000},
        {"endpoint": "https://push.example.org/\u00e9"},
        {"keys": {"p256dh": "AAAA", "auth": "AAAA"}},
        {"keys": {}},
    ],
)
def test_invalid_subscription_is_refused(changes: dict[str, object]) -> None:
    valid = PushBrowser("https://push.example.org/1").subscription
    msgspec.convert(valid, BrowserSubscription)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**valid, **changes}, BrowserSubscription)
