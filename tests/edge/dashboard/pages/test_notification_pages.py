"""The Notifications page, test messages, and the subscriptions of browsers."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.types import ASGIApp

from edge.config.hours import Hours
from edge.config.notify_rule import NotifyRule
from edge.dashboard.history.database import open_database
from edge.dashboard.history.tables import notifications
from edge.dashboard.notify.notification_queue import NotificationQueue, Outcome, Reason
from edge.dashboard.notify.notifications import Notifications
from edge.dashboard.notify.reason_collector import CollectedRule, ReasonCollector
from edge.dashboard.pages import notification_pages
from edge.dashboard.pages.page_context import PageContext
from edge.dashboard.pages.push_pages import MAX_BYTES, browser_name
from tests.support.dashboard.http_client import call_app
from tests.support.dashboard.push_service import PushBrowser

RULES = (
    NotifyRule(
        name="guard", about=("alert", "device_offline"), doors=("door1", "hall-*"),
        labels=("no_mask",), hours=Hours(start="08:00", end="18:00", days=("mon", "tue")),
        min_duration_s=5.0, cooldown_min=10.0, url_file="x",
    ),
    NotifyRule(name="phones", push=True, digest_min=10.0),
)  # fmt: skip
KEY = "B" * 87


@pytest.fixture
def engine(context: PageContext, tmp_path: Path) -> Iterator[sa.Engine]:
    """The database of `context`, which has the rules RULES and no delivery process."""
    opened = open_database(f"sqlite:///{tmp_path}/history.sqlite3")
    context.notifications = Notifications(
        opened, context.live_state, RULES, None, {"guard": ["one", "two"]}, KEY
    )
    yield opened
    opened.dispose()


def test_page_without_rules_says_how_to_make_one(app: ASGIApp) -> None:
    page = call_app(app, "GET", "/notifications").text
    assert "[[notify]]" in page
    assert "Newest deliveries" not in page
    assert call_app(app, "POST", "/notifications/push", b"{}").status == 404


def test_page_shows_rules_and_deliveries(app: ASGIApp, engine: sa.Engine) -> None:
    queue, hostile = NotificationQueue(engine), "<img src=x onerror=alert(1)>"
    with engine.begin() as db:
        for number in range(3):
            reason = Reason(
                "guard", f"alert:{number}", "alert", "door1", 1000.0, 0.0, 900.0, title=hostile
            )
            queue.add(db, [reason])
    ReasonCollector(engine).collect(CollectedRule("guard"), ["1"])
    sent = queue.exchange(None, ("guard", "1"))
    assert sent is not None
    failed = queue.exchange(Outcome(sent.number), ("guard", "1"))
    assert failed is not None
    queue.exchange(Outcome(failed.number, "the receiver refused the connection", 60.0), None)
    page = call_app(app, "GET", "/notifications").text
    assert (
        "About alerts, offline devices; only no mask; at door1, hall-*; Mon, Tue 08:00 to 18:00; if"
        " it lasts for 5 s; one message per door in 10 min; given up after"
        " 60 min."
    ) in page
    assert "one summary per door after 10 min" in page
    assert '<p class="error">The receiver refused the connection.</p>' in page
    assert "2 to be delivered" in page
    assert page.count("<img") == 1  # that of the header
    assert "the process that delivers them is not running" in page


@pytest.mark.parametrize(
    ("age_s", "details"),
    [(0.0, "—"), (3600.0, r" Delivered at <time>[^<]+</time>\.")],
)
def test_details_say_that_a_message_was_late(
    app: ASGIApp, engine: sa.Engine, age_s: float, details: str
) -> None:
    queue = NotificationQueue(engine)
    at_s = time.time() - age_s
    reason = Reason("guard", "device_offline:1", "device_offline", "door1", at_s, 0.0, 900.0)
    with engine.begin() as db:
        queue.add(db, [reason])
    ReasonCollector(engine).collect(CollectedRule("guard"), ["1"])
    sent = queue.exchange(None, ("guard", "1"))
    assert sent is not None
    queue.exchange(Outcome(sent.number), None)
    page = call_app(app, "GET", "/notifications").text
    assert re.search(f'<td data-label="Details" class="note">{details}</td>', page)


def test_test_message_is_queued_for_each_receiver(
    app: ASGIApp, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notification_pages, "TEST_WAIT_S", 0.1)
    response = call_app(app, "POST", "/notifications/guard/test")
    assert (response.status, response.headers["location"]) == (303, "/notifications#rule-guard")
    assert NotificationQueue(engine).due_targets() == {("guard", "1"), ("guard", "2")}
    assert call_app(app, "POST", "/notifications/none/test").status == 404
    foreign = {"origin": "http://other.example"}
    assert call_app(app, "POST", "/notifications/guard/test", headers=foreign).status == 403


@pytest.mark.parametrize("way", ["by the page", "by itself"])
def test_messages_to_a_removed_browser_are_given_up(
    app: ASGIApp, context: PageContext, engine: sa.Engine, way: str
) -> None:
    body = json.dumps(PushBrowser("https://push.example/1").subscription).encode()
    assert call_app(app, "POST", "/notifications/push", body).status == 200
    (browser,) = context.notifications.subscriptions.list_all()
    context.notifications.send_test("phones")
    if way == "by the page":
        call_app(app, "POST", f"/notifications/push/{browser.number}/remove")
    else:
        ended = json.dumps({"endpoint": browser.endpoint}).encode()
        call_app(app, "POST", "/notifications/push/end", ended)
    assert context.notifications.subscriptions.list_all() == []
    with engine.connect() as db:
        (row,) = db.execute(sa.select(notifications))
    assert (row.state, row.error) == ("failed", "the browser was removed")


def test_browser_subscribes_and_is_removed(
    app: ASGIApp, engine: sa.Engine, context: PageContext
) -> None:
    agent = {"user-agent": "Mozilla/5.0 (Android 14; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0"}
    stored = context.notifications.subscriptions
    for name in ("one", "two", "two"):
        browser = PushBrowser(f"https://push.example.org/{name}")
        body = json.dumps(browser.subscription).encode()
        response = call_app(app, "POST", "/notifications/push", body, agent)
        assert response.json() == {"subscribed": "Firefox on Android"}
    first, second = stored.list_all()
    assert (second.endpoint, second.p256dh) == (
        browser.endpoint, browser.subscription["keys"]["p256dh"],
    )  # fmt: skip
    assert context.notifications.targets("phones") == ["push-1", "push-2"]
    page = call_app(app, "GET", "/notifications").text
    assert "Firefox on Android" in page
    assert first.endpoint not in page
    ended = json.dumps({"endpoint": first.endpoint}).encode()
    assert call_app(app, "POST", "/notifications/push/end", ended).status == 200
    assert stored.list_all() == [second]
    removed = call_app(app, "POST", f"/notifications/push/{second.number}/remove")
    assert removed.status == 303
    assert stored.list_all() == []


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"{}", b" " * (MAX_BYTES + 1)])
def test_invalid_subscription_is_refused(app: ASGIApp, engine: sa.Engine, body: bytes) -> None:
    for path in ("/notifications/push", "/notifications/push/end"):
        assert call_app(app, "POST", path, body).status == 422


def test_files_of_the_web_application_are_served(app: ASGIApp) -> None:
    manifest = call_app(app, "GET", "/manifest.webmanifest")
    assert manifest.headers["content-type"] == "application/manifest+json"
    for icon in manifest.json()["icons"]:
        assert call_app(app, "GET", icon["src"]).headers["content-type"] == icon["type"]
    script = call_app(app, "GET", "/service-worker.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert "manifest-src 'self'" in script.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Version/18.0 Safari/605.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("curl/8", "a browser"),
        ("", "a browser"),
    ],
)  # fmt: skip
def test_browser_is_named_for_people(agent: str, name: str) -> None:
    assert browser_name(agent) == name
