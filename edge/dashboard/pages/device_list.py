"""The list of devices on the Health page: which devices it shows, and in which order."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from edge.dashboard.base.display_names import display_name
from edge.dashboard.live.device_state import DeviceState
from edge.dashboard.live.thresholds import COUNTS, HealthCell, health_cells
from edge.dashboard.pages.page_context import CONDITIONS

DEVICES_PER_PAGE = 24
#: The largest number of a page, and the longest text that is searched for: a longer one is cut.
MAX_PAGE, MAX_SEARCH = 100_000, 200
#: The value of the filter "State" for all devices that are not online or have a figure beyond its
#: threshold.
ATTENTION = "attention"
#: The rank of each condition: devices of a lower rank come first. Devices that are online have a
#: rank of their own for the worst grade of their figures.
CONDITION_RANKS = {"trouble": 0, "stalled": 0, "offline": 1, "paused": 3, "unknown": 4}
GRADE_RANKS = {"bad": 2, "warn": 5}
GOOD_RANK = 6


@dataclass(frozen=True)
class ListedDevice:
    """A device with its figures; `is_current` tells whether these describe the present."""

    state: DeviceState
    row: Mapping[str, Any]
    cells: Sequence[HealthCell]
    is_current: bool
    #: How old the figures are in seconds; None if that is not known.
    age_s: float | None

    @staticmethod
    def at(device: DeviceState, ticks_s: float) -> ListedDevice:
        """Return the device as it is at `ticks_s`."""
        is_current = device.figures_are_current(ticks_s)
        reported_s = device.reported_ticks_s
        return ListedDevice(
            device,
            device.page_row(ticks_s),
            health_cells(device, is_current),
            is_current or device.health is None,
            None if reported_s is None else ticks_s - reported_s,
        )

    @property
    def rank(self) -> int:
        """The place of the device in the list: the most serious trouble has rank 0.

        Counts of what happened since the start say nothing about the present, and do not matter.
        """
        figures = (cell for cell in self.cells if cell.name not in COUNTS)
        grades = (GRADE_RANKS.get(cell.grade, GOOD_RANK) for cell in figures)
        return CONDITION_RANKS.get(self.row["condition"], min(grades, default=GOOD_RANK))


@dataclass(frozen=True)
class DeviceFilter:
    """What the Health page is asked for: words of a name, a state, and a page from 1 on."""

    search: str
    state: str
    page: int

    @staticmethod
    def parse(given: Mapping[str, str]) -> DeviceFilter:
        """Return the filter of a query; invalid values count as absent."""
        state, page = given.get("state", ""), given.get("page", "")
        is_number = page.isascii() and page.isdigit() and len(page) < 7
        return DeviceFilter(
            " ".join(given.get("search", "").split())[:MAX_SEARCH],
            state if state in CONDITIONS or state == ATTENTION else "",
            min(max(1, int(page)), MAX_PAGE) if is_number else 1,
        )

    def matches(self, device: ListedDevice) -> bool:
        """Return whether the page shows the device."""
        if self.state == ATTENTION:
            if device.rank == GOOD_RANK:
                return False
        elif self.state and device.row["condition"] != self.state:
            return False
        row = device.row
        names = (
            display_name(row["device"], row["title"]),
            display_name(row["camera"], row["camera_title"]),
        )
        text = " ".join(names).casefold()
        return all(word in text for word in self.search.casefold().split())

    def query(self, page: int) -> str:
        """Return the query of the address of another page with the same filter."""
        fields = {"search": self.search, "state": self.state, "page": page if page > 1 else ""}
        return urlencode({name: value for name, value in fields.items() if value})


@dataclass(frozen=True)
class DevicePage:
    """The devices of one page, and how many there are."""

    filter: DeviceFilter
    devices: Sequence[ListedDevice]
    #: The number of the first device of the page, counted from 1; 0 if the page is empty.
    first: int
    #: How many devices the filter selects, and how many are listed at all.
    found: int
    total: int
    pages: int
    #: How many of all devices have each condition, in the order of CONDITIONS, and how many need
    #: attention.
    counts: Mapping[str, int]

    @property
    def last(self) -> int:
        """The number of the last device of the page, counted from 1; 0 if the page is empty."""
        return self.first + len(self.devices) - 1 if self.devices else 0


def device_page(devices: Iterable[DeviceState], wanted: DeviceFilter, ticks_s: float) -> DevicePage:
    """Return the page of `devices` that `wanted` selects, those with the worst trouble first."""
    listed = [ListedDevice.at(device, ticks_s) for device in devices]
    found = sorted(
        filter(wanted.matches, listed), key=lambda each: (each.rank, _natural(each.row["device"]))
    )
    pages = max(1, -(-len(found) // DEVICES_PER_PAGE))
    page = min(wanted.page, pages)
    start = (page - 1) * DEVICES_PER_PAGE
    shown = found[start : start + DEVICES_PER_PAGE]
    conditions = Counter(each.row["condition"] for each in listed)
    counts = {condition: conditions[condition] for condition in CONDITIONS}
    counts[ATTENTION] = sum(each.rank < GOOD_RANK for each in listed)
    return DevicePage(
        DeviceFilter(wanted.search, wanted.state, page),
        shown, start + 1 if shown else 0, len(found), len(listed), pages, counts,
    )  # fmt: skip


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key that puts `door2` before `door10`."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
