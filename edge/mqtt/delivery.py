"""From an event to the broker: committed to the outbox first, then published_body."""

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
from edge.mqtt.home_assistant import discovery_announcement
from edge.mqtt.payloads import Topics
from edge.mqtt.publisher import Publisher
from edge.outbox.outbox import Outbox

#: How long a stop may take to deliver what waits; the rest stays on disk.
STOP_TIMEOUT_S = 2.0
OUTBOX_NAME = "outbox.sqlite3"
#: Of so many of the newest events it is remembered when their frames were captured.
MAX_TIMED_EVENTS = 100


class EventSink(Protocol):
    """Where events go."""

    def put(self, payload: dict[str, Any], lag_s: float | None = None) -> int:
        """Take an event for good; returns its `seq`. `lag_s`: how long ago the frame that
        brought it was captured, where that is known."""

    def retain(self, leaf: str, body: dict[str, Any], qos: int) -> None:
        """Keep `body` as the device's present `leaf` (state, info, health)."""


class NullSink:
    """Without MQTT: `seq` counts within the run, nothing is kept."""

    def __init__(self) -> None:
        """Start at 1."""
        self._seq = itertools.count(1)

    def put(self, payload: dict[str, Any], lag_s: float | None = None) -> int:
        """The next number."""
        del payload, lag_s
        return next(self._seq)

    def retain(self, leaf: str, body: dict[str, Any], qos: int) -> None:
        """Nobody listens."""


class Delivery:
    """The outbox and the publisher that drains it, and a broker if none is configured.

    A context manager: on leaving, what waits is delivered for at most `STOP_TIMEOUT_S`
    and the device is said to be offline.
    """

    def __init__(
        self,
        settings: Settings,
        times: StageTimes,
        verbs: Mapping[str, VerbHandler] | None = None,
    ) -> None:
        """Nothing is opened before `with`; `verbs` are the commands that can be sent to us."""
        self._settings = settings
        self._times = times
        self._verbs = verbs or {}
        self._stack = ExitStack()
        self._stopped = False
        # From the capture of its frame to its commit, by the event's `seq`.
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
            camera = self._settings.camera.name
            announcement = discovery_announcement(
                mqtt.discovery_prefix, topics, camera, self._verbs
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
        """Commit to disk, then let the publisher know."""
        started_s = time.monotonic()
        # With the lock held, as the worker may have sent it, and its acknowledgement come, at once.
        with self._lags_lock:
            seq = self.outbox.put(payload)
            if lag_s is not None:
                self._lags_s[seq] = lag_s + time.monotonic() - started_s
            # Those that wait for a broker are not timed, and would stay here.
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
        """Publish retained, now and at every connect."""
        self.publisher.retain(leaf, body, qos)

    def run_maintenance(self) -> None:
        """What has to be done now and then; events that a disk brings back go out."""
        self.outbox.run_maintenance()
        self.publisher.wake()

    def alive(self) -> bool:
        """Whether events get on their way; False once the worker has died or hangs. A broker
        that is away is no reason. Cheap, and for any thread: see `Publisher.alive`."""
        return self.publisher.alive()

    def flush(self) -> int:
        """Stop the publisher after delivering what it can; how many events still wait."""
        self._stop()
        return self.outbox.depth()

    def _stop(self) -> None:
        """Once: a second time would only wait for what hangs again."""
        if not self._stopped:
            self._stopped = True
            self.publisher.stop(STOP_TIMEOUT_S)


def open_outbox(settings: Settings) -> Outbox:
    """The configured outbox; raises UserError when another process uses it."""
    bounds = settings.outbox
    return Outbox(outbox_path(settings), bounds.max_events, bounds.max_age_days)


def outbox_path(settings: Settings) -> Path:
    """The configured place, or the state directory's."""
    if settings.outbox.path:
        return user_path(settings.outbox.path)
    return state_directory() / OUTBOX_NAME
