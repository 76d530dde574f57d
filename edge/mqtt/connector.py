"""Makes connections that the broker accepts, with the version and the features that it supports."""

from __future__ import annotations

import time
from collections.abc import Callable

from paho.mqtt.enums import MQTTProtocolVersion

from edge.common.errors import UserError
from edge.mqtt.broker import (
    CONNECT_TIMEOUT_S,
    Broker,
    ConnectionLostError,
    RefusedError,
    closed_before_connack_error,
    connack_error,
    no_connack_error,
)
from edge.mqtt.connection import ConnackReceived, Connection, Disconnected, Message
from edge.mqtt.feature_fallback import FeatureFallback
from edge.mqtt.protocol_version import ProtocolVersion
from edge.mqtt.worker_queue import WorkerQueue


class Connector:
    """Connects one client to one broker. Not thread-safe: use it from one thread."""

    def __init__(
        self,
        broker: Broker,
        client_id: str,
        will: Message,
        queue: WorkerQueue,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect nothing yet; `will` is the will of each connection.

        The signals of the connections are put into `queue`, and the broker's answer is taken from
        it. `clock` returns seconds since any fixed point.
        """
        self._broker = broker
        self._client_id = client_id
        self._will = will
        self._queue = queue
        self._clock = clock
        self._protocol_version = ProtocolVersion(broker.version)
        self._fallback = FeatureFallback()

    def connect(self) -> Connection:
        """Return an accepted connection; raises UserError when the broker does not accept one.

        Several attempts are made if the broker may accept a connection in another version or with
        fewer features.
        """
        closed: UserError | None = None
        while True:
            connection = self._new_connection()
            answer = self._open(connection)
            if isinstance(answer, ConnackReceived) and not answer.reason.is_failure:
                self._protocol_version.accepted()
                connection.accept(answer.limits)
                return connection
            connection.close()
            if isinstance(answer, ConnackReceived):
                if not (
                    self._protocol_version.refused(answer.reason)
                    or self._fallback.refused(answer.reason)
                ):
                    raise connack_error(self._broker, answer.reason, self._client_id)
                continue
            if closed is None:
                closed = self._unanswered_error(answer)
            if not self._may_retry(answer, closed):
                raise closed

    def record_success(self, connection: Connection) -> None:
        """Record that the broker accepts what is sent on `connection`."""
        self._fallback.worked(connection.features)

    def record_loss(self, connection: Connection, error: ConnectionLostError) -> None:
        """Record that `connection` ended with `error`."""
        if error.reason is None:
            return  # the broker did not end it
        if connection.is_mqtt_5:
            self._fallback.refused(error.reason)
        elif not connection.proven:
            self._fallback.closed()

    def _may_retry(self, answer: Disconnected | None, error: UserError) -> bool:
        """Return whether to try at once again, with fewer features, after `answer`.

        Only in 3.1.1: a broker of MQTT 5 says why it refuses a connection.
        """
        if answer is None or isinstance(error, RefusedError) or self._queue.stopping:
            return False
        if self._protocol_version.protocol() == MQTTProtocolVersion.MQTTv5:
            return False
        return self._fallback.closed()

    def _new_connection(self) -> Connection:
        return Connection(
            self._broker,
            self._client_id,
            self._will,
            self._protocol_version.protocol(),
            self._queue.signals,
            self._fallback.features,
            self._clock,
        )

    def _open(self, connection: Connection) -> ConnackReceived | Disconnected | None:
        """Open `connection` and return the broker's answer; close it on any exception."""
        try:
            connection.open()
            return self._wait_for_connack(connection)
        except BaseException:
            connection.close()
            raise

    def _unanswered_error(self, answer: Disconnected | None) -> UserError:
        """Return the error for a broker that closed the connection or did not answer in time."""
        if answer is None:
            error = no_connack_error(self._broker)
        else:
            error = closed_before_connack_error(self._broker)
        if not isinstance(error, RefusedError):
            self._protocol_version.unanswered()
        return error

    def _wait_for_connack(self, connection: Connection) -> ConnackReceived | Disconnected | None:
        """Return the broker's answer to CONNECT; None if there is no answer in time."""
        deadline_s = self._clock() + CONNECT_TIMEOUT_S
        while (left_s := min(deadline_s - self._clock(), self._queue.time_left_s())) > 0.0:
            signal = self._queue.take(left_s)
            if (
                isinstance(signal, ConnackReceived | Disconnected)
                and signal.connection is connection
            ):
                return signal
        return None
