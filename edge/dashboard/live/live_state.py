"""The state that the live page shows: newest alerts, devices, and the connection to the broker.

Every entry carries the version at which it last changed. A page that has version N receives the
entries with a higher version; a new page receives everything.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from edge.dashboard.base.messages import Message
from edge.dashboard.history.store import AlertRow
from edge.dashboard.live.device_state import DeviceState
from edge.dashboard.live.live_alerts import LiveAlerts

#: How many removed devices are remembered, and for how many seconds, so that pages can remove them
#: too. A page that has missed a removal that is no longer remembered receives the complete state.
#: The time must be longer than the time that sending one message to a page may take
#: (SEND_TIMEOUT_S of the websocket).
MAX_REMOVED, REMOVED_S = 10_000, 60.0


class LiveState:
    """The state of alerts, devices and the broker connection; may be used from any thread.

    It lists every device that it is given: the caller bounds their number (see
    `edge.dashboard.base.device_slots`).
    """

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        """Start empty; `ticks` is a monotonic clock in seconds."""
        #: The clock on which the devices' `…_ticks_s` are measured.
        self.ticks = ticks
        self._lock = threading.Lock()
        self._version = 0
        self._alerts = LiveAlerts()
        self._devices: dict[str, DeviceState] = {}
        self._rows: dict[str, tuple[int, dict[str, Any]]] = {}
        #: For each removed device, in the order of removal: the version and time of its removal.
        self._removed: dict[str, tuple[int, float]] = {}
        #: The version of the newest removal that `_removed` no longer lists; -1 if there is none.
        self._removals_known_from = -1
        link = {"connected": False, "why": "", "disk": "", "crowd": ""}
        self._link: tuple[int, dict[str, Any]] = (0, link)
        self._refused: tuple[int, dict[str, int]] = (0, {})
        self._listeners: list[Callable[[], None]] = []

    def add_listener(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` after each change, from any thread; return a function to stop this."""
        with self._lock:
            self._listeners.append(changed)

        def remove() -> None:
            with self._lock:
                if changed in self._listeners:
                    self._listeners.remove(changed)

        return remove

    def update_alerts(self, rows: Iterable[AlertRow]) -> None:
        """Add alerts, or replace them with their present rows."""
        with self._lock:
            self._version += 1
            changed = self._alerts.update(rows, self._version)
            for device in changed:
                row = self._rows.get(device, (0, None))[1]
                self._alerts.update_device(device, row, self._version)
        if changed:
            self._notify()

    def apply_message(self, message: Message) -> list[str]:
        """Update a device with its message; return the problems that are new, as text."""
        with self._lock:
            device = self._get_or_add(message.device)
            problems = device.apply(message, self.ticks())
            changed = self._refresh(device)
        if changed:
            self._notify()
        return problems

    def mark_seen(self, device: str, at_s: float) -> None:
        """Record that an event of the device arrived."""
        with self._lock:
            is_new = device not in self._devices
            known = self._get_or_add(device)
            known.mark_seen(at_s, self.ticks())
            if is_new:
                self._refresh(known)
        if is_new:
            self._notify()

    def add_known_device(self, device: str, seen_s: float | None, silent_s: float) -> None:
        """List a device of an earlier run, which has sent nothing in this one.

        `seen_s` is when its last message arrived, in seconds since the epoch, and `silent_s` is how
        long ago that is.
        """
        with self._lock:
            known = self._get_or_add(device)
            if known.seen_s is None and seen_s is not None:
                known.mark_seen(seen_s, self.ticks() - silent_s)
            self._refresh(known)

    def update_lost(self, lost: Mapping[str, int]) -> list[str]:
        """Set how many events of each device were lost; return those with a higher number now."""
        increased = []
        with self._lock:
            for name, count in lost.items():
                device = self._devices.get(name)
                if device is None:
                    continue
                if count > device.lost:
                    increased.append(name)
                device.lost = count
                self._refresh(device)
        if increased:
            self._notify()
        return increased

    def set_connection(self, connected: bool, reason: str) -> None:
        """Set whether the broker is connected and, if it is not, the reason."""
        self._update_link(connected=connected, why=reason)

    @property
    def is_connected(self) -> bool:
        """Whether the dashboard is connected to the broker."""
        return bool(self._link[1]["connected"])

    def set_storage_error(self, reason: str) -> None:
        """Set the reason why alerts cannot be stored; empty if they can be stored."""
        self._update_link(disk=reason)

    def set_device_limit_warning(self, warning: str) -> None:
        """Set the warning that there are more devices than slots; empty if slots suffice."""
        self._update_link(crowd=warning)

    def remove_devices(self, names: Iterable[str]) -> None:
        """Remove devices; the next message of a removed device adds the device again."""
        with self._lock:
            changed = self._remove(names)
        if changed:
            self._notify()

    def set_refused(self, refused: Mapping[str, int]) -> None:
        """Set how many messages were refused, by reason."""
        with self._lock:
            if self._refused[1] == refused:
                return
            self._version += 1
            self._refused = (self._version, dict(refused))
        self._notify()

    def refresh_devices(self) -> list[tuple[str, str]]:
        """Update the conditions that change with time.

        Return the devices that are stalled or in trouble since the last call, with the reason.
        """
        newly_failed = []
        changed = False
        with self._lock:
            self._forget_removed()
            for name, device in self._devices.items():
                before = self._rows.get(name, (0, {}))[1].get("condition")
                if self._refresh(device):
                    changed = True
                    condition, reason = device.condition(self.ticks())
                    if condition in ("stalled", "trouble") and condition != before:
                        newly_failed.append((name, reason))
        if changed:
            self._notify()
        return newly_failed

    def devices(self) -> list[DeviceState]:
        """Return all devices, sorted by name."""
        with self._lock:
            return [self._devices[name] for name in sorted(self._devices)]

    def device(self, name: str) -> DeviceState | None:
        """Return the device of that name."""
        with self._lock:
            return self._devices.get(name)

    def ongoing_alerts(self) -> frozenset[str]:
        """Return the episodes of the ongoing alerts among those that the live page holds."""
        with self._lock:
            return self._alerts.ongoing()

    def alerts_of(self, device: str) -> list[dict[str, Any]]:
        """Return the newest alerts of the device of that name, which need not be listed."""
        with self._lock:
            return self._alerts.of(device)

    def link(self) -> dict[str, Any]:
        """Return the state of the connection to the broker, and the problems of this dashboard."""
        with self._lock:
            return self._link[1]

    def changes_since(self, version: int) -> tuple[int, dict[str, Any]]:
        """Return the present version, and the entries that changed after `version`.

        For a page that has received nothing yet, `version` is -1. If the entries contain `all`,
        they are the complete state, and the page must discard what it has.
        """
        with self._lock:
            is_complete = version < max(0, self._removals_known_from)
            version = -1 if is_complete else version
            changes: dict[str, Any] = {
                "all": is_complete,
                "alerts": self._alerts.changed_since(version),
                "devices": [row for at, row in self._rows.values() if at > version],
            }
            if not is_complete:
                changes["gone"] = [name for name, (at, _) in self._removed.items() if at > version]
            if self._link[0] > version:
                changes["link"] = self._link[1]
            if self._refused[0] > version:
                changes["refused"] = self._refused[1]
            return self._version, {name: part for name, part in changes.items() if part}

    def _get_or_add(self, name: str) -> DeviceState:
        device = self._devices.get(name)
        if device is None:
            device = self._devices[name] = DeviceState(name, self.ticks())
            self._removed.pop(name, None)
        return device

    def _remove(self, names: Iterable[str]) -> bool:
        known = [name for name in names if name in self._devices]
        if known:
            self._version += 1
        for name in known:
            del self._devices[name]
            self._rows.pop(name, None)
            self._alerts.update_device(name, None, self._version)
            self._removed[name] = (self._version, self.ticks())
        self._forget_removed()
        return bool(known)

    def _forget_removed(self) -> None:
        before_s = self.ticks() - REMOVED_S
        while self._removed:
            name, (version, at_s) = next(iter(self._removed.items()))
            if at_s >= before_s and len(self._removed) <= MAX_REMOVED:
                break
            del self._removed[name]
            self._removals_known_from = version

    def _refresh(self, device: DeviceState) -> bool:
        """Update the row that pages show; return whether it has changed."""
        row = device.page_row(self.ticks())
        before = self._rows.get(device.name, (0, {}))[1]
        if row == before:
            return False
        self._version += 1
        self._rows[device.name] = (self._version, row)
        self._alerts.update_device(device.name, row, self._version)
        return True

    def _update_link(self, **changes: Any) -> None:
        with self._lock:
            link = {**self._link[1], **changes}
            if link == self._link[1]:
                return
            self._version += 1
            self._link = (self._version, link)
        self._notify()

    def _notify(self) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener()
