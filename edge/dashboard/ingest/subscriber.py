"""The dashboard's subscription to everything that devices publish, without losing an event.

The MQTT session outlives connections: events that are published while the dashboard is not
connected wait at the broker. An event is acknowledged only after it has been written to the
database (`ReceivedMessage.acknowledge`).
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable

from edge.common.backoff import Backoff
from edge.common.errors import UserError
from edge.dashboard.ingest.broker_connection import (
    BrokerConnection,
    ConnectionCallbacks,
    MqttSession,
    ReceivedMessage,
)
from edge.mqtt.broker import CONNECT_TIMEOUT_S, Broker
from edge.mqtt.protocol_version import ProtocolVersion

log = logging.getLogger(__name__)

FIRST_DELAY_S, MAX_DELAY_S = 0.25, 10.0


class Subscriber:
    """Stays connected to the broker, in its own thread."""

    def __init__(
        self,
        broker: Broker,
        base: str,
        name: str,
        on_message: Callable[[ReceivedMessage | None], None],
        on_connection: Callable[[bool, str], None],
        group: str = "",
    ) -> None:
        """Prepare the subscription to the topics below `base`.

        `name` identifies this dashboard and must not change between starts. `on_message` is called
        for each message, with None if its topic is not valid UTF-8. `on_connection` is
        called with whether the dashboard is connected and, if it is not, the reason. Both are
        called from other threads. `group` is the shared subscription group that divides the events
        among dashboards; empty if there is no group.
        """
        # The broker keeps the subscriptions in the session, so a different base or group needs a
        # different session.
        kind = hashlib.sha256(f"{base}/{group}".encode()).hexdigest()[:6]
        client_id = f"mask-patrol-dashboard-{name}-{kind}"
        self._session = MqttSession(broker, client_id, base, group)
        self._version = ProtocolVersion(broker.version)
        self._on_connection = on_connection
        self._stopped = threading.Event()
        self._callbacks = ConnectionCallbacks(self._connected, on_message, self._stopped.is_set)
        self._thread = threading.Thread(target=self._run, name="subscriber", daemon=True)
        self._last_failure = ""
        self._leave_group = False

    def start(self) -> None:
        """Connect in the background, and reconnect after each failure."""
        self._thread.start()

    def stop(self, leave_group: bool = False) -> None:
        """Disconnect; messages that are published from now on wait at the broker.

        With `leave_group`, leave the shared subscription group first, so that the broker sends
        this dashboard's share of the events to the others at once.
        """
        self._leave_group = leave_group
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(CONNECT_TIMEOUT_S)

    def _run(self) -> None:
        backoff = Backoff(FIRST_DELAY_S, MAX_DELAY_S)
        while not self._stopped.is_set():
            try:
                self._connect_once(backoff)
            except UserError as error:
                self._disconnected(str(error))
            except Exception as error:
                log.exception("the subscriber failed unexpectedly")
                self._disconnected(f"unexpected: {type(error).__name__}")
            if self._stopped.wait(backoff.next_delay_s()):
                break
        self._on_connection(False, "stopped")

    def _connect_once(self, backoff: Backoff) -> None:
        connection = BrokerConnection(self._session, self._version, self._callbacks)
        try:
            if connection.open():
                backoff.reset()
            connection.wait()
        finally:
            connection.close(self._leave_group)

    def _connected(self) -> None:
        log.info("connected to the broker at %s", self._session.broker.address)
        self._last_failure = ""
        self._on_connection(True, "")

    def _disconnected(self, reason: str) -> None:
        self._on_connection(False, reason)
        if reason != self._last_failure:
            log.warning("%s", reason)
        self._last_failure = reason
