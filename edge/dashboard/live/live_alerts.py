"""The alerts of the live page, and which of them are ongoing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from edge.dashboard.history.store import AlertRow
from edge.dashboard.live.device_state import SILENT_CONDITIONS

#: How many alerts the live page holds; older ones are on the History page.
MAX_ALERTS = 300
#: The columns of an alert that the page shows.
ALERT_FIELDS = (
    "episode", "device", "camera", "label", "score", "started_s", "ended_s", "ended_by",
    "duration_s", "clock_synced", "replayed", "acknowledged_s", "acknowledged_by", "note",
)  # fmt: skip

DeviceRow = Mapping[str, Any]


class LiveAlerts:
    """The newest alerts, each with the version at which it last changed; not thread-safe.

    An alert without an end is ongoing as long as the messages of its device agree. If they do not,
    its end was lost.
    """

    def __init__(self) -> None:
        """Start without alerts."""
        self._alerts: dict[str, tuple[int, dict[str, Any]]] = {}
        #: For each device, the episodes of its alerts without an end.
        self._open: dict[str, set[str]] = {}

    def update(self, rows: Iterable[AlertRow], version: int) -> set[str]:
        """Add alerts, or replace them with their present rows.

        Return the devices whose alerts have changed: the caller must call `update_device` for each.
        """
        touched = set()
        for row in rows:
            shown = {name: row[name] for name in ALERT_FIELDS}
            episode, device = shown["episode"], shown["device"]
            before = self._alerts.get(episode, (0, {}))[1]
            is_open = shown["ended_s"] is None
            shown["ongoing"] = is_open and before.get("ongoing", False)
            if before != shown:
                self._alerts[episode] = (version, shown)
                touched.add(device)
            if is_open:
                self._open.setdefault(device, set()).add(episode)
            else:
                self._open.get(device, set()).discard(episode)
        self._drop_old()
        return touched

    def update_device(self, name: str, row: DeviceRow | None, version: int) -> None:
        """Find out which alerts of the device are ongoing.

        `row` is what `DeviceState.page_row` returns, None if the device is not listed.
        """
        alerts = [self._alerts[episode][1] for episode in self._open.get(name, ())]
        newest = max(alerts, key=_age_key, default=None)
        for alert in alerts:
            ongoing = row is not None and _is_ongoing(alert, row, alert is newest)
            if alert["ongoing"] != ongoing:
                self._alerts[alert["episode"]] = (version, {**alert, "ongoing": ongoing})

    def changed_since(self, version: int) -> list[dict[str, Any]]:
        """Return the alerts that changed after `version`."""
        return [row for at, row in self._alerts.values() if at > version]

    def of(self, device: str) -> list[dict[str, Any]]:
        """Return the alerts of the device of that name."""
        return [row for _, row in self._alerts.values() if row["device"] == device]

    def ongoing(self) -> frozenset[str]:
        """Return the episodes of the ongoing alerts."""
        episodes = (episode for found in self._open.values() for episode in found)
        return frozenset(e for e in episodes if self._alerts[e][1]["ongoing"])

    def _drop_old(self) -> None:
        """Keep the newest alerts and the newest open alerts, at most MAX_ALERTS of each."""
        if len(self._alerts) <= 2 * MAX_ALERTS:
            return
        by_age = sorted(self._alerts, key=lambda e: self._alerts[e][1]["started_s"], reverse=True)
        still_open = [e for e in by_age if self._alerts[e][1]["ended_s"] is None]
        kept = {*by_age[:MAX_ALERTS], *still_open[:MAX_ALERTS]}
        self._alerts = {e: entry for e, entry in self._alerts.items() if e in kept}
        self._open = {}
        for episode in kept.intersection(still_open):
            self._open.setdefault(self._alerts[episode][1]["device"], set()).add(episode)


def _age_key(alert: Mapping[str, Any]) -> tuple[float, str]:
    return alert["started_s"], alert["episode"]


def _is_ongoing(alert: Mapping[str, Any], device: DeviceRow, is_newest: bool) -> bool:
    """Return whether an alert without an end is ongoing, by the last messages of its device."""
    if device["condition"] in SILENT_CONDITIONS:
        return False
    # While the device reports somebody without a mask, its newest alert is ongoing, even if the
    # clock of the device is wrong. Other alerts are over if the device has since reported that
    # nobody is without a mask: their ends were lost.
    return bool((device["no_mask"] and is_newest) or device["calm_s"] <= alert["started_s"])
