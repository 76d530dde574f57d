"""Delivery of events: commit each one to the outbox, then publish it."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from edge.common.paths import state_directory, user_path
from edge.common.stage_times import StageTimes
from edge.config.settings import Settings, change
from edge.mqtt.broker import Broker
from edge.mqtt.command_format import VerbHandler
from edge.mqtt.embedded_broker import embedded_broker
from edge.mqtt.home_assistant import Titles, discovery_announcement
from edge.mqtt.payloads import Topics
from edge.mqtt.publisher import Publisher
from edge.outbox.outbox import Outbox

#: How long a stop may take to deliver waiting events; the rest stay on disk.
STOP_TIMEOUT_S = 2.0
OUTBOX_NAME = "outbox.sqlite3"
#: For this many of the newest events the time between capture and commit is remembered.
MAX_TIMED_EVENTS = 100


class EventSink(Protocol):
    """The destination of events and retained messages."""

    def put(self, payload: dict[str, Any], lag_s: float | None = None) -> int:
        """Store an event and return its `seq`.

        `lag_s` is how many seconds ago the frame that caused it was captured, None if unknown.
        """

    def retain(self, leaf: str, body: dict[str, Any], qos: int) -> None:
        """Publish `body` as the current retained message of `leaf` (state, info, health)."""


class NullSink:
    """A sink for runs without MQTT: it numbers events, and stores and publishes nothing."""

    def __init__(self) -> None:
        """Start with 1 as the first `seq`."""
        self._seq = itertools.count(1)

    def put(self, payload: dict[str, Any], lag_s: float | None = None) -> int:
        """Return the next `seq`; the event itself is discarded."""
        del payload, lag_s
        return next(self._seq)

    def retain(self, leaf: str, body: dict[str, Any], qos: int) -> None:
        """Discard the message."""


class Delivery:
    """The outbox, the publisher of its events, and an embedded broker if none is configured.

    A context manager: on exit, waiting events are delivered for at most `STOP_TIMEOUT_S`, and
    `offline` is published.
    """

    def __init__(
        self,
        settings: Settings,
        times: StageTimes,
        verbs: Mapping[str, VerbHandler] | None = None,
    ) -> None:
        """Prepare the delivery; nothing is opened before the `with` block.

        `verbs` maps the verb of each command to its handler.
        """
        self._settings = settings
        self._times = times
        self._verbs = verbs or {}
        self._stack = ExitStack()
        self._stopped = False
        # Seconds from the capture of an event's frame to its commit, by the event's `seq`.
        self._lags_s: dict[int, float] = {}
        self._lags_lock = threading.Lock()
        self.embedded = False

    def __enter__(self) -> Delivery:
        with ExitStack() as stack:
            mqtt = self._settings.mqtt
            if not mqtt.host:
                broker = stack.enter_context(embedded_broker(mqtt))
                mqtt = change(self._settings, mqtt=broker.settings).mqtt
                self.embedded = True
            self.broker = Broker.from_settings(mqtt)
            self.outbox = open_outbox(self._settings)
            stack.callback(self.outbox.close)
            topics = Topics(mqtt.base, self._settings.device)
            camera = self._settings.camera
            titles = Titles(self._settings.title, camera.title or camera.name)
            announcement = discovery_announcement(
                mqtt.discovery_prefix, topics, titles, self._verbs
            )
            self.publisher = Publisher(
                self.broker,
                topics,
                self.outbox,
                self._delivered,
                self._verbs,
                announcement if mqtt.discovery else None,
            )
            self._stack = stack.pop_all()
        return self

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._stack.callback(self._stop)
        self.publisher.start()

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def put(self, payload: dict[str, Any], lag_s: float | None = None) -> int:
        """Commit an event to the outbox, notify the publisher, and return the event's `seq`."""
        started_s = time.monotonic()
        # The lock is held from the commit on, because the worker may send the event and receive
        # its acknowledgement before `_lags_s` is set.
        with self._lags_lock:
            seq = self.outbox.put(payload)
            if lag_s is not None:
                self._lags_s[seq] = lag_s + time.monotonic() - started_s
            # `_delivered` never removes the entries of events that wait for a connection, so the
            # oldest entries are removed here.
            while len(self._lags_s) > MAX_TIMED_EVENTS:
                del self._lags_s[next(iter(self._lags_s))]
        self.publisher.wake()
        return seq

    def _delivered(self, seq: int, took_s: float) -> None:
        self._times.add("deliver", took_s)
        with self._lags_lock:
            lag_s = self._lags_s.pop(seq, None)
        if lag_s is not None:
            self._times.add("alert", lag_s + took_s)

    def retain(self, leaf: str, body: dict[str, Any], qos: int) -> None:
        """Publish a retained message, now and at every connect."""
        self.publisher.retain(leaf, body, qos)

    def run_maintenance(self) -> None:
        """Run the outbox's maintenance, and send events that it could read from disk again."""
        self.outbox.run_maintenance()
        self.publisher.wake()

    def alive(self) -> bool:
        """Return whether the worker that sends events is running; callable from any thread.

        It also counts as running while the broker is unreachable: see `Publisher.alive`.
        """
        return self.publisher.alive()

    def flush(self) -> int:
        """Deliver waiting events, stop the publisher, and return how many events still wait."""
        self._stop()
        return self.outbox.depth()

    def _stop(self) -> None:
        """Stop the publisher, once: a second call would wait again for a worker that hangs."""
        if not self._stopped:
            self._stopped = True
            self.publisher.stop(STOP_TIMEOUT_S)


def open_outbox(settings: Settings) -> Outbox:
    """Open the configured outbox; raises UserError when another process uses it."""
    bounds = settings.outbox
    return Outbox(outbox_path(settings), bounds.max_events, bounds.max_age_days)


def outbox_path(settings: Settings) -> Path:
    """Return the configured path, or the default one in the state directory."""
    if settings.outbox.path:
        return user_path(settings.outbox.path)
    return state_directory() / OUTBOX_NAME
