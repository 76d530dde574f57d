"""What the live page shows: the newest alerts, the devices, how we are connected.

Each thing bears the number of the change that it was last part of, so that a page is sent
what changed since the number that it has, and a page that comes anew is sent all.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from edge.dashboard.base.messages import Message
from edge.dashboard.history.store import AlertRow
from edge.dashboard.live.device_state import DeviceState

#: Alerts on the live page; older ones are in the history.
MAX_ALERTS = 300
#: Names that pages are told to take off their list, and for how long; who comes later than that
#: gets all anew. It must be longer than a page may take for what it is sent.
MAX_GONE, GONE_S = 10_000, 60.0
SHOWN = (
    "episode", "device", "camera", "label", "score", "started_s", "ended_s", "ended_by",
    "duration_s", "clock_synced", "replayed", "acknowledged_s",
)  # fmt: skip


class LiveState:
    """May be fed and read from any thread. It lists each device that it is told of: who gives it
    names bounds them (see `edge.dashboard.base.device_slots`)."""

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        """Nothing is known yet; `ticks` are seconds that no setting of a clock moves."""
        self._ticks = ticks
        self._lock = threading.Lock()
        self._version = 0
        self._alerts: dict[str, tuple[int, dict[str, Any]]] = {}
        self._devices: dict[str, DeviceState] = {}
        self._rows: dict[str, tuple[int, dict[str, Any]]] = {}
        #: In the order in which they went: at which version, and when.
        self._gone: dict[str, tuple[int, float]] = {}
        #: The version up to which who has gone is not known any more.
        self._forgotten = -1
        link = {"connected": False, "why": "", "disk": "", "crowd": ""}
        self._link: tuple[int, dict[str, Any]] = (0, link)
        self._refused: tuple[int, dict[str, int]] = (0, {})
        self._listeners: list[Callable[[], None]] = []

    def add_listener(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Have `changed` called, from any thread, at each change; gives what ends that."""
        with self._lock:
            self._listeners.append(changed)

        def leave() -> None:
            with self._lock:
                if changed in self._listeners:
                    self._listeners.remove(changed)

        return leave

    def update_alerts(self, rows: Iterable[AlertRow]) -> None:
        """Alerts as they are now."""
        with self._lock:
            self._version += 1
            changed = False
            for row in rows:
                shown = {name: row[name] for name in SHOWN}
                if self._alerts.get(shown["episode"], (0, None))[1] != shown:
                    self._alerts[shown["episode"]] = (self._version, shown)
                    changed = True
            self._drop_old_alerts()
        if changed:
            self._tell()

    def apply_message(self, message: Message) -> list[str]:
        """What a device says of itself; gives what is newly wrong with it, in words."""
        with self._lock:
            device = self._device(message.device, message.received_s)
            news = device.apply(message)
            changed = self._refresh(device, message.received_s)
        if changed:
            self._tell()
        return news

    def mark_seen(self, device: str, at_s: float) -> None:
        """An event came from it."""
        with self._lock:
            is_new = device not in self._devices
            known = self._device(device, at_s)
            known.seen_s = at_s
            if is_new:
                self._refresh(known, at_s)
        if is_new:
            self._tell()

    def add_known_device(self, device: str, seen_s: float | None, now_s: float) -> None:
        """A device of before, of which nothing was heard yet this time."""
        with self._lock:
            known = self._device(device, now_s)
            known.seen_s = known.seen_s or seen_s
            self._refresh(known, now_s)

    def update_lost(self, lost: Mapping[str, int], now_s: float) -> list[str]:
        """How many events of each device are missing; gives those of which more are."""
        more = []
        with self._lock:
            for name, count in lost.items():
                device = self._devices.get(name)
                if device is None:
                    continue
                if count > device.lost:
                    more.append(name)
                device.lost = count
                self._refresh(device, now_s)
        if more:
            self._tell()
        return more

    def set_connection(self, connected: bool, why: str) -> None:
        """Whether the broker is there, and if not, why."""
        self._put_link(connected=connected, why=why)

    def set_storage_error(self, why: str) -> None:
        """Why alerts cannot be kept; empty when they can."""
        self._put_link(disk=why)

    def set_device_limit_warning(self, why: str) -> None:
        """That more names speak than there are places; empty when there are enough."""
        self._put_link(crowd=why)

    def remove_devices(self, names: Iterable[str]) -> None:
        """These are listed no more; who speaks again is again."""
        with self._lock:
            changed = self._drop(names)
        if changed:
            self._tell()

    def set_refused(self, refused: Mapping[str, int]) -> None:
        """How many messages were refused, by reason."""
        with self._lock:
            if self._refused[1] == refused:
                return
            self._version += 1
            self._refused = (self._version, dict(refused))
        self._tell()

    def refresh_devices(self, now_s: float) -> list[tuple[str, str]]:
        """Look at all devices anew, as time passes; those that have stalled since, and why."""
        stalled = []
        changed = False
        with self._lock:
            self._forget_gone()
            for name, device in self._devices.items():
                before = self._rows.get(name, (0, {}))[1].get("condition")
                if self._refresh(device, now_s):
                    changed = True
                    condition, why = device.condition(now_s)
                    if condition in ("stalled", "trouble") and condition != before:
                        stalled.append((name, why))
        if changed:
            self._tell()
        return stalled

    def devices(self) -> list[DeviceState]:
        """All of them, by name."""
        with self._lock:
            return [self._devices[name] for name in sorted(self._devices)]

    def device(self, name: str) -> DeviceState | None:
        """The one of that name."""
        with self._lock:
            return self._devices.get(name)

    def changes_since(self, version: int) -> tuple[int, dict[str, Any]]:
        """What changed since `version` (-1: nothing is known yet), and the number to ask with
        next; with `all` it is all there is, and what was known before counts no more."""
        with self._lock:
            from_start = version < max(0, self._forgotten)
            version = -1 if from_start else version
            news: dict[str, Any] = {
                "all": from_start,
                "alerts": [row for at, row in self._alerts.values() if at > version],
                "devices": [row for at, row in self._rows.values() if at > version],
            }
            if not from_start:
                news["gone"] = [name for name, (at, _) in self._gone.items() if at > version]
            if self._link[0] > version:
                news["link"] = self._link[1]
            if self._refused[0] > version:
                news["refused"] = self._refused[1]
            return self._version, {name: part for name, part in news.items() if part}

    def _device(self, name: str, now_s: float) -> DeviceState:
        device = self._devices.get(name)
        if device is None:
            device = self._devices[name] = DeviceState(name, now_s)
            self._gone.pop(name, None)
        return device

    def _drop(self, names: Iterable[str]) -> bool:
        known = [name for name in names if name in self._devices]
        if known:
            self._version += 1
        for name in known:
            del self._devices[name]
            self._rows.pop(name, None)
            self._gone[name] = (self._version, self._ticks())
        self._forget_gone()
        return bool(known)

    def _forget_gone(self) -> None:
        before_s = self._ticks() - GONE_S
        while self._gone:
            name, (version, at_s) = next(iter(self._gone.items()))
            if at_s >= before_s and len(self._gone) <= MAX_GONE:
                break
            del self._gone[name]
            self._forgotten = version

    def _refresh(self, device: DeviceState, now_s: float) -> bool:
        """Whether the page must be told; that it was heard again is told with other news."""
        row = device.page_row(now_s)
        before = self._rows.get(device.name, (0, {}))[1]
        if row == before:
            return False
        self._version += 1
        self._rows[device.name] = (self._version, row)
        return True

    def _put_link(self, **changes: Any) -> None:
        with self._lock:
            link = {**self._link[1], **changes}
            if link == self._link[1]:
                return
            self._version += 1
            self._link = (self._version, link)
        self._tell()

    def _drop_old_alerts(self) -> None:
        """The newest stay, and as many of those that run."""
        if len(self._alerts) <= 2 * MAX_ALERTS:
            return
        by_age = sorted(self._alerts, key=lambda e: self._alerts[e][1]["started_s"], reverse=True)
        running = [e for e in by_age if self._alerts[e][1]["ended_s"] is None]
        kept = {*by_age[:MAX_ALERTS], *running[:MAX_ALERTS]}
        self._alerts = {e: entry for e, entry in self._alerts.items() if e in kept}

    def _tell(self) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener()
