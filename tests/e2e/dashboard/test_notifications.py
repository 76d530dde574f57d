"""Notifications from a device's event to real receivers, and what happens when these fail."""

from __future__ import annotations

import email
import email.policy
import json
import re
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from edge.dashboard.history.database import open_database
from edge.dashboard.history.tables import push_subscriptions
from edge.dashboard.notify.push_subscriptions import PushSubscriptions
from tests.support.cli_process import mask_patrol, mask_patrol_error
from tests.support.dashboard.dashboards import Dashboard, Device, chromium
from tests.support.dashboard.http_client import BrowserClient
from tests.support.dashboard.push_service import PushBrowser, verified_claims
from tests.support.dashboard.receivers import HttpReceiver, SmtpReceiver, notify_rule
from tests.support.mqtt.brokers import Mosquitto
from tests.support.mqtt.certificates import Authority
from tests.support.ports import free_port
from tests.support.waiting import wait_until

#: A title that tries to be HTML, Markdown, a link, a mention and JSON.
HOSTILE = "<b>*Door*</b> [x](http://evil.example) @everyone \"';{}`~_"
#: Characters that have a meaning in HTML, Markdown or a chat program.
MEANINGFUL = set("<>[]*_~`@")
CARD = re.compile(r'<article class="card (\w+)" id="rule-([\w-]+)">(.*?)</article>', re.DOTALL)
ERROR = re.compile(r'<p class="error">(.*?)</p>')


CHROME_ON_LINUX = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"
    " Safari/537.36"
)
#: Lets a page subscribe without a push service; the subscription lasts for the page's context.
SUBSCRIBE = """
const subscription = %s;
let subscribed = localStorage.subscribed === "yes";
const found = (options) => ({
  ...subscription, options: options || { applicationServerKey: window.usedKey },
  toJSON: () => subscription,
  unsubscribe: async () => { subscribed = false; delete localStorage.subscribed; return true; },
});
PushManager.prototype.getSubscription = async () => {
  const key = document.getElementById("push").dataset.key;
  const raw = atob(key.replaceAll("-", "+").replaceAll("_", "/"));
  window.usedKey = Uint8Array.from(raw, (char) => char.charCodeAt(0)).buffer;
  return subscribed ? found() : null;
};
PushManager.prototype.subscribe = async (options) => {
  if (options.applicationServerKey.length !== 65) throw new Error("wrong key");
  subscribed = true; localStorage.subscribed = "yes";
  return found(options);
};
"""


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def notifications_page(dashboard: Dashboard) -> str:
    browser = BrowserClient(dashboard.port)
    browser.request("GET", "/notifications", accept="text/html")
    return browser.body.decode()


def errors(dashboard: Dashboard) -> dict[str, str]:
    """Return the errors that the page shows, by rule."""
    cards = CARD.findall(notifications_page(dashboard))
    return {name: found[1] for _, name, text in cards if (found := ERROR.search(text))}


def shown_by_service_worker(page: Any, message: str) -> list[tuple[str, str]]:
    """Deliver a message to the service worker of `page`; return the notifications that it shows."""
    session = page.context.new_cdp_session(page)
    found: list[str] = []
    session.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: found.extend(each["registrationId"] for each in event["registrations"]),
    )
    session.send("ServiceWorker.enable")
    page.wait_for_function("() => navigator.serviceWorker.ready.then(() => true)")
    wait_until(lambda: bool(page.evaluate("1") and found), "the service worker")
    origin = page.evaluate("location.origin")
    session.send(
        "ServiceWorker.deliverPushMessage",
        {"origin": origin, "registrationId": found[0], "data": message},
    )
    notifications = (
        "navigator.serviceWorker.ready.then((r) => r.getNotifications())"
        ".then((all) => all.map((n) => [n.title, n.body]))"
    )
    wait_until(lambda: bool(page.evaluate(notifications)), "a notification")
    return [tuple(each) for each in page.evaluate(notifications)]


def test_each_receiver_gets_alerts_whatever_the_others_do(
    tmp_path: Path, mosquitto: Mosquitto, stack: ExitStack
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pair = Authority(tmp_path).issue("localhost", "IP:127.0.0.1")
    tls.load_cert_chain(pair.cert, pair.key)
    hook, mail = stack.enter_context(HttpReceiver()), stack.enter_context(SmtpReceiver())
    failing = stack.enter_context(HttpReceiver("fails"))
    silent = stack.enter_context(HttpReceiver("silent"))
    slow = stack.enter_context(HttpReceiver("slow"))
    untrusted = stack.enter_context(HttpReceiver(tls=tls))
    addresses = {
        "hook": hook.address, "mail": mail.address, "failing": failing.address,
        "silent": silent.address + "?rto=3", "slow": slow.address,
        "untrusted": untrusted.address, "refusing": f"json://127.0.0.1:{free_port()}/x-secret",
    }  # fmt: skip
    rules = "".join(notify_rule(tmp_path, name, of) for name, of in addresses.items())
    dashboard = Dashboard(tmp_path, mosquitto.port, rules).start().wait_connected()
    device = Device(mosquitto.broker)
    device.send("info", json.dumps({"title": HOSTILE}).encode(), retain=True)
    wait_until(
        lambda: [d["title"] for d in dashboard.live_message().get("devices", [])] == [HOSTILE],
        "the title",
    )
    sent_s = time.monotonic()
    device.start_alert()
    wait_until(lambda: bool(hook.bodies), "the webhook")
    print(f"handed over after {time.monotonic() - sent_s:.2f} s")
    wait_until(lambda: bool(mail.mails) and bool(slow.bodies), "the mail and the slow receiver")
    wait_until(lambda: len(errors(dashboard)) == 4, "four failures")
    assert errors(dashboard) == {
        "failing": "The receiver answered with the status 500.",
        "refusing": "The receiver refused the connection.",
        "silent": "The receiver did not answer within 3 s.",
        "untrusted": "The certificate of the receiver is not valid: unable to get local issuer"
        " certificate.",
    }
    failing.behaviour = "accepts"
    wait_until(lambda: "failing" not in errors(dashboard), "the retry")
    device.start_alert()
    wait_until(
        lambda: len(hook.bodies) == len(mail.mails) == len(failing.bodies) == 2, "the second alert"
    )
    device.close()
    page = notifications_page(dashboard)
    assert dashboard.stop() == 0
    assert len(failing.bodies) == len(set(failing.bodies)) == 2
    assert "Traceback" not in dashboard.log()
    for file in dashboard.state.glob("dashboard.sqlite3*"):
        assert b"secret" not in file.read_bytes()
    assert "secret" not in page + dashboard.log()
    for text in (hook.messages()[0]["title"], hook.messages()[0]["message"]):
        assert "Door" in text
        assert not MEANINGFUL & set(text)
        assert "evil.example" not in text
    parsed = email.message_from_bytes(mail.mails[0], policy=email.policy.default)
    assert parsed["subject"] == hook.titles()[0]
    assert parsed.get_content_type() == "text/plain"
    assert set(parsed.keys()) == {
        "Content-Type", "MIME-Version", "Content-Transfer-Encoding", "X-Application", "Subject",
        "From", "To", "Message-ID", "Date",
    }  # fmt: skip


def test_mistake_in_an_address_is_reported_in_one_line(tmp_path: Path) -> None:
    rule = notify_rule(tmp_path, "guard", "nosuch://secret-password@receiver")
    config = tmp_path / "door.toml"
    config.write_text(f"[dashboard]\nport = 0\n{rule}")
    line = mask_patrol_error(mask_patrol(tmp_path, "dashboard", "--config", config))
    assert 'receiver 1 of the rule "guard" in [[notify]] is not an address' in line
    assert "secret" not in line


def test_browser_subscribes_and_shows_messages(
    driver: Any, tmp_path: Path, mosquitto: Mosquitto, stack: ExitStack
) -> None:
    """Chromium has no push service here: a test gives it the subscription, and the messages."""
    push_service = stack.enter_context(HttpReceiver())
    receiver = PushBrowser("https://push.example.org/subscription-1")
    rules = '[[notify]]\nname = "phones"\npush = true\n'
    dashboard = Dashboard(tmp_path, mosquitto.port, rules).start().wait_connected()
    assert (dashboard.state / "dashboard-push-key.pem").stat().st_mode & 0o777 == 0o600
    browser = stack.enter_context(chromium(driver, is_complete=True))
    context = browser.new_context(user_agent=CHROME_ON_LINUX)
    context.grant_permissions(["notifications"])
    context.add_init_script(SUBSCRIBE % json.dumps(receiver.subscription))
    page = context.new_page()
    page.goto(f"{dashboard.address}/notifications")
    page.click("#push-switch:text('Enable in this browser')")
    page.wait_for_selector("#push-switch:text('Disable in this browser')")
    engine = open_database(f"sqlite:///{dashboard.state}/dashboard.sqlite3")
    (stored,) = PushSubscriptions(engine).list_all()
    assert (stored.endpoint, stored.browser) == (receiver.endpoint, "Chrome on Linux")
    # The dashboard sends to the receiver of the test, as the push service does not exist.
    with engine.begin() as db:
        db.execute(sa.update(push_subscriptions).values(endpoint=push_service.push_address))
    device = Device(mosquitto.broker)
    device.start_alert()
    wait_until(lambda: bool(push_service.bodies), "the push service")
    device.close()
    ((_, headers, body),) = push_service.requests
    message = receiver.decrypt(body)
    assert message["title"] == "No mask at door1"
    claims = verified_claims(headers["authorization"])
    assert claims["aud"] == f"http://127.0.0.1:{push_service.port}"
    assert shown_by_service_worker(page, json.dumps(message)) == [
        (message["title"], message["body"])
    ]
    # The same message again replaces the first one.
    assert len(shown_by_service_worker(page, json.dumps(message))) == 1
    page.reload()
    page.click("#push-switch:text('Disable in this browser')")
    page.wait_for_selector("#push-switch:text('Enable in this browser')")
    context.close()
    engine.dispose()
    assert dashboard.stop() == 0
