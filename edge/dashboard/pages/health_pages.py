"""How the devices are: now, and over time."""

from __future__ import annotations

import time
from datetime import tzinfo

from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from edge.dashboard.base.device_slots import SILENT_AFTER_S
from edge.dashboard.history.queries import HistoryQueries
from edge.dashboard.ingest.validation import DEVICE_NAME, REFUSAL_REASONS
from edge.dashboard.live.live_state import LiveState
from edge.dashboard.live.thresholds import (
    FRAME_MS,
    MEMORY_MB,
    OUTBOX,
    TEMPERATURE_C,
    Threshold,
    health_cells,
)
from edge.dashboard.pages import display_times
from edge.dashboard.pages.charts import line
from edge.dashboard.pages.page_context import page_context

SPANS = {"1": "24 hours", "7": "7 days", "14": "14 days"}
POINTS, TICKS = 240, 6
#: In these conditions a device may be forgotten.
DEAF = ("offline", "stalled", "unknown")
NO_DEVICE = "There is no such device."
TROUBLES_SHOWN, GAPS_SHOWN = 50, 50
CHARTS: tuple[tuple[str, str, Threshold | None], ...] = (
    ("fps", "Frames a second", None),
    ("frame_ms", "One frame, 95th percentile, ms", FRAME_MS),
    ("temperature_c", "Temperature, °C", TEMPERATURE_C),
    ("memory_mb", "Memory, MB", MEMORY_MB),
    ("outbox_depth", "Events waiting", OUTBOX),
)


async def health(request: Request) -> Response:
    """All devices."""
    site, now_s = page_context(request), time.time()
    devices = [
        {"row": device.page_row(now_s), "cells": health_cells(device)}
        for device in site.board.devices()
    ]
    found = await run_in_threadpool(site.history.troubles, "", TROUBLES_SHOWN)
    _, news = site.board.changes_since(-1)
    refused = [(REFUSAL_REASONS.get(k, k), n) for k, n in sorted(news.get("refused", {}).items())]
    return site.page(
        request, "health.html", devices=devices, troubles=found, refused=refused,
        link=news.get("link", {}), silent=len(_silent(site.board, now_s)),
    )  # fmt: skip


async def device(request: Request) -> Response:
    """One device."""
    site, name = page_context(request), request.path_params["device"]
    known = site.board.device(name) if DEVICE_NAME.fullmatch(name) else None
    if known is None:
        return site.page(request, "missing.html", 404, what=NO_DEVICE)
    span = request.query_params.get("span", "1")
    span = span if span in SPANS else "1"
    now_s = time.time()
    from_s = now_s - float(span) * 86_400.0
    zone = display_times.zone_of(request.cookies.get(display_times.COOKIE))
    charts = await run_in_threadpool(_charts, site.history, name, from_s, now_s, zone)
    troubles = await run_in_threadpool(site.history.troubles, name, TROUBLES_SHOWN)
    gaps = await run_in_threadpool(site.history.gaps, name, 0.0, GAPS_SHOWN)
    return site.page(
        request, "device.html", row=known.page_row(now_s), cells=health_cells(known),
        info=known.info, warnings=known.health.warnings if known.health else (),
        charts=charts, span=span,
        spans=SPANS, troubles=troubles, gaps=gaps,
    )  # fmt: skip


async def forget(request: Request) -> Response:
    """Asks whether the device is to be taken off the list, and does it."""
    site, name = page_context(request), request.path_params["device"]
    known = site.board.device(name) if DEVICE_NAME.fullmatch(name) else None
    if known is None:
        return site.page(request, "missing.html", 404, what=NO_DEVICE)
    if request.method != "POST":
        return site.page(request, "forget.html", row=known.page_row(time.time()))
    await run_in_threadpool(site.forget, name)
    return RedirectResponse("/health", 303)


async def forget_silent(request: Request) -> Response:
    """Asks whether all that were silent for long are to be taken off the list, and does it."""
    site = page_context(request)
    silent = _silent(site.board, time.time())
    if request.method != "POST":
        return site.page(request, "forget_silent.html", silent=silent)
    if silent:
        await run_in_threadpool(site.forget, *silent)
    return RedirectResponse("/health", 303)


def _silent(board: LiveState, now_s: float) -> list[str]:
    """Devices that said nothing for a day, and are not there now."""
    found = []
    for device in board.devices():
        heard_s = device.known_s if device.seen_s is None else device.seen_s
        if now_s - heard_s > SILENT_AFTER_S and device.condition(now_s)[0] in DEAF:
            found.append(device.name)
    return found


def _charts(
    history: HistoryQueries, name: str, from_s: float, to_s: float, zone: tzinfo
) -> list[tuple[str, Markup]]:
    rows = history.figures(name, from_s, max(60.0, (to_s - from_s) / POINTS))
    form = "%H:%M" if to_s - from_s <= 2 * 86_400.0 else "%d %b"
    ticks = []
    for number in range(TICKS):
        at_s = from_s + (number + 0.5) * (to_s - from_s) / TICKS
        ticks.append((at_s, display_times.moment(at_s, zone).strftime(form)))
    charts = []
    for key, title, limit in CHARTS:
        points = [(row["at_s"], row[key]) for row in rows]
        if any(value is not None for _, value in points):
            limits = [(limit.warn, "warn"), (limit.bad, "bad")] if limit else []
            charts.append((title, line(title, points, from_s, to_s, ticks, limits)))
    return charts
