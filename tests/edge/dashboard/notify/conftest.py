from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from edge.dashboard.history.tables import notifications
from edge.dashboard.notify.notification_queue import NotificationQueue, Reason


@pytest.fixture
def queue(engine: sa.Engine) -> NotificationQueue:
    return NotificationQueue(engine)


@pytest.fixture
def add(engine: sa.Engine, queue: NotificationQueue) -> Callable[..., None]:
    """Add reasons of the rule `guard`, one for each number, at `device`."""

    def add_reasons(numbers: Sequence[int], device: str = "door1", **more: Any) -> None:
        settings = {"delay_s": 0.0, "lasts_s": 600.0, "label": "no_mask", "rule": "guard", **more}
        rule, topic = settings.pop("rule"), settings.pop("topic", "alert")
        with engine.begin() as db:
            queue.add(
                db,
                [
                    Reason(rule, f"{topic}:{number}", topic, device, 1000.0 + number, **settings)
                    for number in numbers
                ],
            )

    return add_reasons


@pytest.fixture
def rows(engine: sa.Engine) -> Callable[[], list[Any]]:
    """Return all rows of the queue, the oldest first."""

    def read() -> list[Any]:
        with engine.connect() as db:
            return list(db.execute(sa.select(notifications).order_by(notifications.c.number)))

    return read


@pytest.fixture
def pass_time(engine: sa.Engine) -> Callable[[float], None]:
    """Make all times in the queue earlier, as if time had passed."""

    def move(seconds: float) -> None:
        columns = ("due_s", "expires_s", "leased_until_s", "finished_s")
        changes = {name: notifications.c[name] - seconds for name in columns}
        with engine.begin() as db:
            db.execute(sa.update(notifications).values(changes))
            db.execute(
                sa.text("UPDATE notification_cooldowns SET last_s = last_s - :s"), {"s": seconds}
            )

    return move
