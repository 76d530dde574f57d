"""The receivers of all rules: the addresses of the configuration, and subscribed browsers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge.config.notify_rule import NotifyRule
from edge.dashboard.notify.apprise_channel import AppriseChannel
from edge.dashboard.notify.channel import Channel
from edge.dashboard.notify.notification_queue import NotificationQueue, Target
from edge.dashboard.notify.push_channel import PushChannel
from edge.dashboard.notify.push_subscriptions import PushSubscriptions
from edge.dashboard.notify.vapid_key import VapidKey


class ConfiguredReceivers:
    """The receivers that the configuration gives by address: target `1` is the first address."""

    def __init__(self, addresses: Mapping[str, Sequence[str]]) -> None:
        """Parse the addresses of each rule; raises UsageError for the first invalid one."""
        self.channels: dict[Target, Channel] = {
            (rule, str(number)): AppriseChannel(
                address, f'receiver {number} of the rule "{rule}" in [[notify]]'
            )
            for rule, of_rule in addresses.items()
            for number, address in enumerate(of_rule, 1)
        }

    def targets(self, rule: str) -> list[str]:
        """Return the targets of a rule."""
        return [name for of_rule, name in self.channels if of_rule == rule]


class AllReceivers:
    """The configured receivers and, for rules with `push`, all subscribed browsers.

    Methods raise sqlalchemy.exc.SQLAlchemyError.
    """

    def __init__(
        self,
        configured: ConfiguredReceivers,
        rules: Sequence[NotifyRule],
        subscriptions: PushSubscriptions,
        queue: NotificationQueue,
        key: VapidKey | None,
    ) -> None:
        """`key` is the key of this dashboard, None if no rule has `push`."""
        self._configured = configured
        self._lasts_s = {rule.name: 60.0 * rule.max_age_min for rule in rules if rule.push}
        self._subscriptions = subscriptions
        self._queue = queue
        self._key = key

    def targets(self, rule: str) -> Sequence[str]:
        """Return the targets of a rule, including browsers that only another dashboard reaches."""
        if rule not in self._lasts_s:
            return self._configured.targets(rule)
        return [subscription.target for subscription in self._subscriptions.list_all()]

    def channels(self) -> Mapping[Target, Channel]:
        """Return the channels of the targets that this dashboard reaches."""
        key = self._key
        if key is None:
            return self._configured.channels
        browsers: dict[Target, Channel] = {
            (rule, subscription.target): PushChannel(subscription, key, lasts_s)
            for subscription in self._subscriptions.list_all()
            if subscription.vapid_key == key.public
            for rule, lasts_s in self._lasts_s.items()
        }
        return {**self._configured.channels, **browsers}

    def remove(self, target: Target, error: str) -> None:
        """Forget the browser `target`, and fail what is queued for it, with `error`."""
        self._subscriptions.remove(int(target[1].removeprefix("push-")))
        self._queue.fail_target(target[1], error)
