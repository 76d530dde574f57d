"""The notifications of a dashboard: what the other services and the pages use of this package."""

from __future__ import annotations

import importlib.util
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from edge.common.errors import UserError
from edge.config.notify_rule import NotifyRule
from edge.config.settings import Settings
from edge.dashboard.live.live_state import LiveState
from edge.dashboard.notify.delivery_client import DeliveryClient
from edge.dashboard.notify.delivery_protocol import DeliveryConfiguration
from edge.dashboard.notify.delivery_status import DeliveryStatus
from edge.dashboard.notify.notification_queue import NotificationQueue
from edge.dashboard.notify.notifier import Notifier
from edge.dashboard.notify.push_subscriptions import PushSubscriptions, target_of
from edge.dashboard.notify.receiver_addresses import find_addresses

#: How long a test message is tried to be handed over.
TEST_LASTS_S = 60.0
#: Packages that only the extra `notify` installs.
REQUIRED_PACKAGES = ("apprise", "cryptography")


class Notifications:
    """The rules, the queue, and the process that delivers; without rules, nothing is started."""

    def __init__(
        self,
        engine: sa.Engine,
        live: LiveState,
        rules: Sequence[NotifyRule] = (),
        delivery: DeliveryClient | None = None,
        addresses: Mapping[str, Sequence[str]] | None = None,
        push_key: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Use the queue in `engine`; `delivery` delivers it to the `addresses` of each rule.

        `push_key` is the public key with which browsers subscribe, empty without a rule for them.
        """
        self.rules = rules
        self.status = DeliveryStatus(engine)
        self.push_key = push_key
        self.subscriptions = PushSubscriptions(engine)
        self.notifier = Notifier(rules, engine, live, self._wake, clock)
        self._delivery = delivery
        self._addresses = addresses or {}
        self._queue = NotificationQueue(engine)
        self._clock = clock

    @property
    def is_delivering(self) -> bool:
        """Whether the process that delivers is running."""
        return self._delivery is not None and self._delivery.is_running

    def start(self) -> None:
        """Start the process that delivers; raises UserError if it cannot start."""
        if self._delivery is not None:
            self._delivery.start()

    def stop(self) -> None:
        """End the process."""
        if self._delivery is not None:
            self._delivery.stop()

    def targets(self, rule: str) -> list[str]:
        """Return the names of the receivers of a rule."""
        if any(found.push for found in self.rules if found.name == rule):
            return [subscription.target for subscription in self.subscriptions.list_all()]
        return [str(number) for number, _ in enumerate(self._addresses.get(rule, ()), 1)]

    def send_test(self, rule: str) -> str:
        """Queue a test message for each receiver of a rule; return its key.

        Raises sqlalchemy.exc.SQLAlchemyError.
        """
        key = self._queue.add_test(rule, self.targets(rule), self._clock(), TEST_LASTS_S)
        if self._delivery is not None:
            self._delivery.wake(is_test=True)
        return key

    def remove_browser(self, number: int) -> None:
        """Delete a subscription, and give up what is queued for it.

        Raises sqlalchemy.exc.SQLAlchemyError.
        """
        self.subscriptions.remove(number)
        self._queue.fail_target(target_of(number), "the browser was removed")

    def remove_endpoint(self, endpoint: str) -> None:
        """Do the same for the subscription with this address, if it exists."""
        if (number := self.subscriptions.number_of(endpoint)) is not None:
            self.remove_browser(number)

    def _wake(self) -> None:
        if self._delivery is not None:
            self._delivery.wake()


@dataclass(frozen=True)
class Receivers:
    """What the configuration says of the receivers; `addresses` may contain passwords."""

    addresses: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    push_key_file: str = ""
    push_key: str = ""


def find_receivers(
    settings: Settings, folder: Path, environment: Mapping[str, str] = os.environ
) -> Receivers:
    """Return the receivers of all rules; the key for Web Push is in `folder`.

    Raises UserError if packages are missing, or if the address of a receiver or the key cannot be
    read, and UsageError for a rule without a receiver.
    """
    if settings.notify and any(
        importlib.util.find_spec(name) is None for name in REQUIRED_PACKAGES
    ):
        raise UserError(
            "[[notify]] needs more packages: pip install '.[notify]' in a clone of the repository"
        )
    addresses = find_addresses(settings.notify, environment)
    if not any(rule.push for rule in settings.notify):
        return Receivers(addresses)
    # Imported only here, because it needs packages of the extra `notify`.
    from edge.dashboard.notify.vapid_key import FILE_NAME, load_vapid_key

    path = folder / FILE_NAME
    return Receivers(addresses, str(path), load_vapid_key(path).public)


def make_notifications(
    settings: Settings, receivers: Receivers, engine: sa.Engine, live: LiveState
) -> Notifications:
    """Return the notifications for the rules of the configuration."""
    if not settings.notify:
        return Notifications(engine, live)
    configuration = DeliveryConfiguration(
        database=settings.dashboard.database,
        log_level=logging.getLogger().getEffectiveLevel(),
        rules=settings.notify,
        addresses=receivers.addresses,
        push_key_file=receivers.push_key_file,
    )
    client = DeliveryClient(configuration)
    return Notifications(
        engine, live, settings.notify, client, receivers.addresses, receivers.push_key
    )
