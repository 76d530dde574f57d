"""The Notifications page: the rules with their state, the newest deliveries, and test messages."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from edge.config.hours import DAYS, Hours
from edge.config.notify_rule import NotifyRule
from edge.dashboard.notify.delivery_status import RuleState
from edge.dashboard.pages.page_context import LABELS, page_context

NO_RULE = "There is no rule with this name."
#: How long the answer to the button Test waits for the result, and how often it looks.
TEST_WAIT_S, TEST_POLL_S = 5.0, 0.1
TOPICS = {
    "alert": "alerts",
    "device_offline": "offline devices",
    "camera_stalled": "camera problems",
    "events_lost": "lost events",
}
STATES = {"queued": "waiting", "sent": "delivered", "failed": "not delivered"}


@dataclass(frozen=True)
class RuleCard:
    """A rule as the page shows it; `grade` is a class of the style sheet."""

    rule: NotifyRule
    state: RuleState
    conditions: tuple[str, ...]
    grade: str
    status: str


async def notifications(request: Request) -> Response:
    """Return the page."""
    context = page_context(request)
    found = context.notifications
    names = [rule.name for rule in found.rules]
    states = await run_in_threadpool(found.status.rules, names)
    browsers = await run_in_threadpool(found.subscriptions.list_all) if found.push_key else []
    deliveries = await run_in_threadpool(found.status.newest)
    cards = [_card(rule, states[rule.name]) for rule in found.rules]
    return context.render(
        request,
        "notifications.html",
        cards=cards,
        deliveries=deliveries,
        is_delivering=found.is_delivering,
        push_key=found.push_key,
        browsers=browsers,
        states=STATES,
    )


async def send_test(request: Request) -> Response:
    """Send a test message to the receivers of a rule, and show the page when it was handed over."""
    context, name = page_context(request), request.path_params["rule"]
    found = context.notifications
    if name not in {rule.name for rule in found.rules}:
        return context.render_error(request, 404, NO_RULE)
    key = await run_in_threadpool(found.send_test, name)
    for _ in range(int(TEST_WAIT_S / TEST_POLL_S)):
        if await run_in_threadpool(found.status.is_finished, name, key):
            break
        await asyncio.sleep(TEST_POLL_S)
    return RedirectResponse(f"/notifications#rule-{name}", 303)


def _card(rule: NotifyRule, state: RuleState) -> RuleCard:
    if state.error:
        grade, status = "offline", "failing"
    elif state.queued:
        grade, status = "paused", "delivering"
    elif state.sent_s is not None:
        grade, status = "online", "working"
    else:
        grade, status = "unknown", "nothing sent yet"
    return RuleCard(rule, state, tuple(_conditions(rule)), grade, status)


def _conditions(rule: NotifyRule) -> list[str]:
    """Return what the rule sends messages about, and when, as short texts."""
    texts = ["about " + ", ".join(TOPICS[topic] for topic in rule.about)]
    if rule.labels:
        texts.append("only " + " or ".join(LABELS[label] for label in rule.labels))
    texts.append("at " + ", ".join(rule.doors) if rule.doors else "at all doors")
    if rule.push:
        texts.append("to the browsers below")
    if when := _hours(rule.hours):
        texts.append(when)
    if rule.min_duration_s:
        texts.append(f"if it lasts for {rule.min_duration_s:g} s")
    if rule.cooldown_min:
        texts.append(f"one message per door in {rule.cooldown_min:g} min")
    if rule.digest_min:
        texts.append(f"one summary per door after {rule.digest_min:g} min")
    texts.append(f"given up after {rule.max_age_min:g} min")
    return texts


def _hours(hours: Hours) -> str:
    days = ", ".join(day.capitalize() for day in DAYS if day in hours.days)
    period = f"{hours.start} to {hours.end}" if hours.start else ""
    return " ".join(filter(None, (days, period)))


ROUTES = (
    Route("/notifications", notifications),
    Route("/notifications/{rule}/test", send_test, methods=["POST"]),
)
