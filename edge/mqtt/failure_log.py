"""Logs problems with the broker once, not at every connection attempt."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from edge.common.errors import UserError
from edge.mqtt.broker import Broker, PacketTooLargeError, RefusedError, SessionTakenOverError
from edge.mqtt.broker_limits import ALL_FEATURES, Features
from edge.mqtt.connection import MAX_WAITING_MESSAGES
from edge.mqtt.reconnect_backoff import SHORT_CONNECTIONS_TO_REPORT

log = logging.getLogger("edge.mqtt.publisher")


class FailureLog:
    """Logs the failures of one publisher and remembers which ones it has logged."""

    def __init__(self, broker: Broker, client_id: str, outbox_path: Path) -> None:
        """Log failures of the connections of `client_id` to `broker`.

        `outbox_path` is named in the messages as the place where events wait.
        """
        self._broker = broker
        self._client_id = client_id
        self._outbox_path = outbox_path
        self._refused_subscription_logged = False
        self._left_out_topics: set[str] = set()
        self._missing_logged = ALL_FEATURES
        self.reset()

    def reset(self) -> None:
        """Log the next failure as a new one, because a connection was stable."""
        self._failure_logged = False
        self._last_refusal = ""

    def log_failure(self, error: UserError, quiet: bool) -> None:
        """Log a failed attempt at the level warning or error, a repeated one at debug.

        A refusal needs a person to change something, so it is logged even if another failure was
        logged before, unless the previous refusal was the same. With `quiet`, the failure is logged
        at debug in any case.
        """
        repeated = self._failure_logged
        if isinstance(error, RefusedError | SessionTakenOverError):
            # The size of one message, which is in the text, changes slightly between attempts,
            # because the message contains its age.
            refusal = "too large" if isinstance(error, PacketTooLargeError) else str(error)
            repeated, self._last_refusal = self._last_refusal == refusal, refusal
        self._failure_logged = True
        level = logging.ERROR if isinstance(error, PacketTooLargeError) else logging.WARNING
        level = logging.DEBUG if repeated or quiet else level
        log.log(
            level,
            "%s; events are kept in %s until the broker accepts them",
            error,
            self._outbox_path,
        )

    def log_short_connections(self) -> None:
        """Log that the broker repeatedly closed the connection without giving a reason.

        Many brokers give no reason (mosquitto up to 2.0.11 at least, even in MQTT 5): neither when
        they close the older of two connections with one client identifier, nor when a message is
        too large.
        """
        log.warning(
            "the broker at %s has closed the connection %d times in a row soon after it was made,"
            " without giving a reason; does another client use the same client identifier, %r (give"
            " each its own `device`), is a message larger than the broker accepts, or is the broker"
            " restarted again and again? The broker's own log may say",
            self._broker.address,
            SHORT_CONNECTIONS_TO_REPORT,
            self._client_id,
        )

    def log_left_out(self, error: PacketTooLargeError, topic: str) -> None:
        """Log, once per topic, that a message other than an event is too large to publish."""
        if topic not in self._left_out_topics:
            log.warning("%s; it is not published", error)
        self._left_out_topics.add(topic)

    def log_missing_features(self, features: Features) -> None:
        """Log, once per feature, what the broker does not support if it allows only `features`."""
        if self._missing_logged.retain and not features.retain:
            log.warning(
                "the broker at %s does not support retained messages; a program that subscribes"
                " later receives the status and the state only when they are published again;"
                " events are delivered all the same",
                self._broker.address,
            )
        if self._missing_logged.qos and not features.qos:
            log.warning(
                "the broker at %s supports only messages of QoS 0; it does not acknowledge events,"
                " so an event that is lost on the way is not sent again",
                self._broker.address,
            )
        logged = self._missing_logged
        self._missing_logged = Features(
            logged.retain and features.retain, min(logged.qos, features.qos)
        )

    def log_refused_subscription(self, topics: Sequence[str]) -> None:
        """Log, once per process, that the broker's access rules forbid reading `topics`."""
        if not self._refused_subscription_logged:
            log.warning(
                "the broker at %s does not let us read %s, so messages there are not received;"
                " events are delivered all the same",
                self._broker.address,
                " and ".join(topics),
            )
        self._refused_subscription_logged = True

    def log_dropped_commands(self) -> None:
        """Log that received commands are being dropped."""
        log.warning(
            "commands arrive too fast: if more than %d wait, further ones are dropped",
            MAX_WAITING_MESSAGES,
        )
