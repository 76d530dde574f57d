"""The browsers that receive notifications by Web Push, in the database."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa

from edge.dashboard.history.database import upsert
from edge.dashboard.history.tables import push_subscriptions
from edge.dashboard.notify.base64url import from_base64url

#: When there are more, the oldest is removed.
MAX_SUBSCRIPTIONS = 200
MAX_ENDPOINT_LENGTH = 1000
#: The last part of an IPv4 address, which may be hexadecimal, but not of the name of a machine.
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
#: The lengths of a browser's public key and of its secret (RFC 8291), in bytes.
KEY_BYTES, AUTH_BYTES = 65, 16


class SubscriptionKeys(msgspec.Struct, frozen=True):
    """The keys with which messages to a browser are encrypted, in base64url."""

    p256dh: Annotated[str, msgspec.Meta(max_length=120)]
    auth: Annotated[str, msgspec.Meta(max_length=60)]


class BrowserSubscription(msgspec.Struct, frozen=True):
    """A subscription as a browser describes it (PushSubscription.toJSON)."""

    endpoint: Annotated[str, msgspec.Meta(max_length=MAX_ENDPOINT_LENGTH)]
    keys: SubscriptionKeys

    def __post_init__(self) -> None:
        """Raise ValueError if the address of the push service or a key cannot be right."""
        parts = urlsplit(self.endpoint)
        host = (parts.hostname or "").rstrip(".")
        is_name = "." in host and ":" not in host and not NUMBER.fullmatch(host.rpartition(".")[2])
        if parts.scheme != "https" or not is_name or "@" in parts.netloc:
            raise ValueError("the address of the push service must begin with https://")
        if not (self.endpoint.isascii() and self.endpoint.isprintable()):
            raise ValueError("the address of the push service has invalid characters")
        for name, text, length in (
            ("p256dh", self.keys.p256dh, KEY_BYTES),
            ("auth", self.keys.auth, AUTH_BYTES),
        ):
            if len(from_base64url(text)) != length:
                raise ValueError(f"the key {name} has a wrong length")


@dataclass(frozen=True)
class Subscription:
    """A stored subscription; `browser` describes the browser to people."""

    number: int
    endpoint: str
    p256dh: str
    auth: str
    vapid_key: str
    browser: str
    created_s: float

    @property
    def target(self) -> str:
        """The name of this receiver in the queue."""
        return target_of(self.number)


def target_of(number: int) -> str:
    """Return the name in the queue of the browser with the subscription `number`."""
    return f"push-{number}"


class PushSubscriptions:
    """Reads and changes the table; methods raise sqlalchemy.exc.SQLAlchemyError."""

    def __init__(self, engine: sa.Engine) -> None:
        """Use the tables of an open database."""
        self._engine = engine

    def add(self, new: BrowserSubscription, vapid_key: str, browser: str, now_s: float) -> None:
        """Store a subscription, or replace the one with the same address."""
        values: dict[str, Any] = {
            "p256dh": new.keys.p256dh, "auth": new.keys.auth, "vapid_key": vapid_key,
            "browser": browser[:80], "created_s": now_s,
        }  # fmt: skip
        insert = upsert(self._engine, push_subscriptions).values(endpoint=new.endpoint, **values)
        table = push_subscriptions
        surplus = (
            sa.select(table.c.number).order_by(table.c.number.desc()).offset(MAX_SUBSCRIPTIONS)
        )
        with self._engine.begin() as db:
            db.execute(insert.on_conflict_do_update(index_elements=["endpoint"], set_=values))
            numbers = db.scalars(surplus.limit(MAX_SUBSCRIPTIONS)).all()
            db.execute(sa.delete(table).where(table.c.number.in_(numbers)))

    def remove(self, number: int) -> None:
        """Delete a subscription, if it exists."""
        with self._engine.begin() as db:
            db.execute(sa.delete(push_subscriptions).where(push_subscriptions.c.number == number))

    def number_of(self, endpoint: str) -> int | None:
        """Return the number of the subscription with this address; None if there is none."""
        query = sa.select(push_subscriptions.c.number)
        with self._engine.connect() as db:
            return db.scalar(query.where(push_subscriptions.c.endpoint == endpoint))

    def list_all(self) -> list[Subscription]:
        """Return all subscriptions, the oldest first."""
        query = sa.select(push_subscriptions).order_by(push_subscriptions.c.number)
        with self._engine.connect() as db:
            return [Subscription(**row._mapping) for row in db.execute(query)]
