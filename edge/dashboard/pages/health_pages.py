"""The Health pages: the state of the devices now, and their measurements over time."""

from __future__ import annotations

import time
from datetime import tzinfo

from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from edge.dashboard.base.device_slots import SILENT_AFTER_S
from edge.dashboard.history.queries import HistoryQueries
from edge.dashboard.ingest.validation import DEVICE_NAME, REFUSAL_REASONS
from edge.dashboard.live.device_state import SILENT_CONDITIONS
from edge.dashboard.live.live_state import LiveState
from edge.dashboard.live.thresholds import (
    EXPLANATIONS,
    FRAME_MS,
    MEMORY_MB,
    OUTBOX,
    TEMPERATURE_C,
    Threshold,
)
from edge.dashboard.pages import display_times
from edge.dashboard.pages.charts import line_chart
from edge.dashboard.pages.device_list import ATTENTION, DeviceFilter, ListedDevice, device_page
from edge.dashboard.pages.page_context import page_context

#: The tabs of the device page: number of days, and text.
SPANS = {"1": "24 hours", "7": "7 days", "14": "14 days"}
#: Maximum number of points in a chart, and number of labels below it.
MAX_POINTS, TICKS = 240, 6
#: The labels of a chart show the time of day if its period is at most this long, else the date.
MAX_CLOCK_LABELS_S = 2 * 86_400.0
NO_DEVICE = "There is no device with this name."
MAX_PROBLEMS, MAX_GAPS = 50, 50
#: Column of the table `figures`, title, and the thresholds of each chart.
CHARTS: tuple[tuple[str, str, Threshold | None], ...] = (
    ("fps", "Frames per second", None),
    ("frame_ms", "Processing time per frame in ms (95th percentile)", FRAME_MS),
    ("temperature_c", "Processor temperature in °C", TEMPERATURE_C),
    ("memory_mb", "Memory in MB", MEMORY_MB),
    ("outbox_depth", "Events waiting for the broker", OUTBOX),
)
#: The columns whose values are whole numbers.
COUNTS = ("outbox_depth",)


async def health(request: Request) -> Response:
    """Return the page with a list of the devices."""
    context = page_context(request)
    ticks_s = context.live_state.ticks()
    page = device_page(
        context.live_state.devices(), DeviceFilter.parse(request.query_params), ticks_s
    )
    problems = await run_in_threadpool(context.history.problems, "", MAX_PROBLEMS)
    _, news = context.live_state.changes_since(-1)
    refused = [(REFUSAL_REASONS.get(k, k), n) for k, n in sorted(news.get("refused", {}).items())]
    return context.render(
        request, "health.html", page=page, attention=ATTENTION, problems=problems, refused=refused,
        link=news.get("link", {}), silent_count=len(_silent_devices(context.live_state)),
        explanations=EXPLANATIONS,
    )  # fmt: skip


async def device(request: Request) -> Response:
    """Return the page of one device."""
    context, name = page_context(request), request.path_params["device"]
    known = context.live_state.device(name) if DEVICE_NAME.fullmatch(name) else None
    if known is None:
        return context.render_error(request, 404, NO_DEVICE)
    span = request.query_params.get("span", "1")
    span = span if span in SPANS else "1"
    now_s, ticks_s = time.time(), context.live_state.ticks()
    from_s = now_s - float(span) * 86_400.0
    zone = display_times.request_zone(request)
    charts = await run_in_threadpool(_charts, context.history, name, from_s, now_s, zone)
    problems = await run_in_threadpool(context.history.problems, name, MAX_PROBLEMS)
    gaps = await run_in_threadpool(context.history.gaps, name, 0.0, MAX_GAPS)
    return context.render(
        request, "device.html", device=ListedDevice.at(known, ticks_s), info=known.info,
        warnings=known.health.warnings if known.health else (),
        charts=charts, span=span, spans=SPANS, problems=problems, gaps=gaps,
        explanations=EXPLANATIONS,
    )  # fmt: skip


async def forget(request: Request) -> Response:
    """Ask whether the device is to be removed from the lists; POST removes it."""
    context, name = page_context(request), request.path_params["device"]
    known = context.live_state.device(name) if DEVICE_NAME.fullmatch(name) else None
    if known is None:
        return context.render_error(request, 404, NO_DEVICE)
    if request.method != "POST":
        row = known.page_row(context.live_state.ticks())
        return context.render(request, "forget.html", row=row)
    await run_in_threadpool(context.forget_devices, name)
    return RedirectResponse("/health", 303)


async def forget_silent(request: Request) -> Response:
    """Ask whether all silent devices are to be removed from the lists; POST removes them."""
    context = page_context(request)
    silent = _silent_devices(context.live_state)
    if request.method != "POST":
        return context.render(request, "forget_silent.html", silent=silent)
    if silent:
        await run_in_threadpool(context.forget_devices, *silent)
    return RedirectResponse("/health", 303)


def _silent_devices(live_state: LiveState) -> list[str]:
    """Return the devices that have sent nothing for a day and are not online now."""
    ticks_s = live_state.ticks()
    return [
        device.name
        for device in live_state.devices()
        if ticks_s - device.heard_ticks_s() > SILENT_AFTER_S
        and device.condition(ticks_s)[0] in SILENT_CONDITIONS
    ]


def _charts(
    history: HistoryQueries, name: str, from_s: float, to_s: float, zone: tzinfo
) -> list[tuple[str, Markup]]:
    """Return the title and the chart of each figure that the device has reported."""
    rows = history.figures(name, from_s, max(60.0, (to_s - from_s) / MAX_POINTS))
    tick_format = "%H:%M" if to_s - from_s <= MAX_CLOCK_LABELS_S else "%d %b"
    times = display_times.round_times(from_s, to_s, zone, TICKS)
    ticks = [(at.timestamp(), at.strftime(tick_format)) for at in times]
    charts = []
    for key, title, limit in CHARTS:
        points = [(row["at_s"], row[key]) for row in rows]
        if any(value is not None for _, value in points):
            limits = [(limit.warn, "warn"), (limit.bad, "bad")] if limit else []
            chart = line_chart(title, points, from_s, to_s, ticks, limits, key in COUNTS)
            charts.append((title, chart))
    return charts


ROUTES = (
    Route("/health", health),
    Route("/health/{device}", device),
    Route("/health/{device}/forget", forget, methods=["GET", "POST"]),
    Route("/forget-silent", forget_silent, methods=["GET", "POST"]),
)
