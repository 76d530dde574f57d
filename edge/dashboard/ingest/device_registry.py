"""The devices that the dashboard lists, synchronised with the database and other dashboards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from edge.dashboard.base.device_slots import MAX_SLOTS
from edge.dashboard.base.messages import EventMessage
from edge.dashboard.history.queries import HistoryQueries
from edge.dashboard.history.store import HistoryStore
from edge.dashboard.ingest.broker_connection import ReceivedMessage
from edge.dashboard.ingest.validation import MessageValidator
from edge.dashboard.live.live_state import LiveState

#: How long after an eviction the dashboard reports that there are more devices than slots.
REPORT_EVICTION_S = 600.0
TOO_MANY_DEVICES = (
    f"More than {MAX_SLOTS} device names are in use, so new names replace each other in the list."
    " If not all of them are yours, somebody publishes invented names: configure the broker so that"
    " each device can only write below its own name."
)


class DeviceRegistry:
    """Lists a device from its first valid message until it is evicted or forgotten.

    A device is listed if and only if it has a slot (in the validator) and a row in the live state;
    one lock covers each change of both. A forgotten device is retired: its retained messages are
    ignored, and its next live message lists it again. May be used from any thread.
    """

    def __init__(
        self,
        validator: MessageValidator,
        store: HistoryStore,
        history: HistoryQueries,
        live: LiveState,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start without devices; `ticks` is a monotonic clock in seconds."""
        self._validator = validator
        self._store = store
        self._history = history
        self._live = live
        self._ticks = ticks
        self._lock = threading.Lock()
        self._retired: set[str] = set()
        #: Devices that sent a message after they were retired; kept until the database is updated.
        self._returned: set[str] = set()
        self._report_eviction_until = 0.0

    @property
    def warning(self) -> str:
        """The warning that there are more devices than slots; empty if there are not."""
        return TOO_MANY_DEVICES if self._ticks() < self._report_eviction_until else ""

    def load(self, now_s: float) -> None:
        """List the devices of the database; raises sqlalchemy.exc.SQLAlchemyError."""
        self._retired = self._history.retired_devices()
        seen_s = dict(self._history.listed_devices())
        silent_s = {name: max(0.0, now_s - at_s) if at_s else 0.0 for name, at_s in seen_s.items()}
        for name in self._validator.restore_devices(silent_s):
            self._live.add_known_device(name, seen_s[name], silent_s[name])
        self._live.update_lost(self._history.lost_events())

    def receive(
        self, received: ReceivedMessage, now_s: float
    ) -> tuple[EventMessage | None, list[tuple[str, str]]]:
        """Validate a message, list its device, and show the state that the message reports.

        Return the event, if the message is one, and the new problems that it reports, as pairs of
        device and text. The device of an event is listed here and not when the event is written:
        by then another device may have its slot.
        """
        with self._lock:
            message = self._validator.validate(
                received.topic, received.payload, received.retained, now_s, self._retired
            )
            if evicted := self._validator.pop_evicted():
                self._live.remove_devices(evicted)
                self._report_eviction_until = self._ticks() + REPORT_EVICTION_S
            if message is None:
                return None, []
            if message.device in self._retired:
                self._returned.add(message.device)
                self._retired.discard(message.device)
            if isinstance(message.body, EventMessage):
                self._live.mark_seen(message.device, now_s)
                return message.body, []
            return None, [(message.device, text) for text in self._live.apply_message(message)]

    def forget(self, devices: tuple[str, ...], now_s: float) -> None:
        """Retire devices and take them off the list; raises sqlalchemy.exc.SQLAlchemyError."""
        self._store.retire_devices(devices, now_s)
        with self._lock:
            self._retired.update(devices)
            self._returned.difference_update(devices)
            self._remove(devices)

    def write_returned(self, now_s: float) -> None:
        """Record in the database which retired devices are listed again.

        Raises sqlalchemy.exc.SQLAlchemyError. One thread at a time may call this.
        """
        returned = sorted(self._returned)
        self._store.restore_devices(returned, now_s)
        self._returned.difference_update(returned)

    def read_retired(self) -> None:
        """Take the devices that another dashboard retired off the list.

        Raises sqlalchemy.exc.SQLAlchemyError.
        """
        retired = self._history.retired_devices()
        with self._lock:
            newly_retired = sorted(retired - self._retired - self._returned)
            self._retired = retired - self._returned
            self._remove(newly_retired)

    def _remove(self, devices: tuple[str, ...] | list[str]) -> None:
        for device in devices:
            self._validator.release_device(device)
        self._live.remove_devices(devices)
