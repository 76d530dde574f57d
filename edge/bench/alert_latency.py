"""Measures the time from the capture of a frame to the broker's acknowledgement of its alert.

A real daemon runs and times its own alerts (`stages_ms.alert` of `health`), while two people
without masks repeatedly come into view together and leave.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.bench.daemon_process import BASE, FPS, running, workspace
from edge.bench.footage import clip, people
from edge.bench.results import AlertFigures
from edge.common.arrays import Pixels
from edge.common.errors import UserError
from edge.config.settings import Settings
from edge.mqtt.broker import Broker, new_client

#: Each visit starts two alerts and ends two. `STAY_S` is how long the people are in view,
#: `AWAY_S` how long they are away, so that the tracker counts them as having left.
VISITS, STAY_S, AWAY_S = 6, 2.0, 2.5
#: Timeout; a Pi Zero may take twice as long as the footage.
TIMEOUT_S = 3.0 * VISITS * (STAY_S + AWAY_S) + 60.0
DEVICE = "bench-alerts"
#: The columns of the demo clip in which its first visitor stands, as fractions of its width.
VISITOR_LEFT, VISITOR_RIGHT = 0.22, 0.72


def alert_figures(settings: Settings, visits: int = VISITS) -> AlertFigures:
    """Time the alerts of `visits` visits.

    Raises UserError when the embedded broker is not installed, or when the daemon fails.
    """
    with workspace() as here:
        pictures = _write_visits(settings, here.folder / "visits", visits)
        config = here.configuration(settings, DEVICE, pictures)
        health = _HealthSubscriber(here.broker)
        try:
            with running(config) as daemon:
                figures = health.wait_for(4 * visits, daemon.has_ended)
                if figures is None:
                    reason = daemon.last_line() or "too few alerts came"
                    raise UserError(f"alerts could not be timed: {reason}")
        finally:
            health.close()
    alert = figures["stages_ms"]["alert"]
    return AlertFigures(alert["p50"], alert["p95"], figures["events_acknowledged"])


class _HealthSubscriber:
    """A subscriber that keeps the daemon's newest `health` message."""

    def __init__(self, broker: Broker) -> None:
        self._changed = threading.Condition()
        self._health: dict[str, Any] = {}
        client = new_client(broker)
        client.on_connect = lambda c, *_: c.subscribe(f"{BASE}/{DEVICE}/health", qos=0)
        client.on_message = lambda _c, _d, message: self._take(bytes(message.payload))
        client.connect(broker.host, broker.port)
        client.loop_start()
        self._client = client

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def wait_for(self, events: int, is_over: Callable[[], bool]) -> dict[str, Any] | None:
        """Return the first message with `events` acknowledged; None on failure or timeout."""
        deadline_s = time.monotonic() + TIMEOUT_S
        with self._changed:
            while self._health.get("events_acknowledged", 0) < events:
                if is_over() or time.monotonic() > deadline_s:
                    return None
                self._changed.wait(0.2)
            return self._health

    def _take(self, payload: bytes) -> None:
        with self._changed:
            self._health = json.loads(payload)
            self._changed.notify_all()


def _write_visits(settings: Settings, folder: Path, visits: int) -> Path:
    """Write pictures to be played at `FPS`, and return their folder.

    Each visit shows the demo's first visitor beside their mirror image, then an empty scene. The
    last empty scene is longer, so that `health` still reports the last ends of alerts.
    """
    folder.mkdir()
    there = [_beside_mirror_image(frame.image_bgr) for frame in people(settings).frames()]
    nobody = _beside_mirror_image(next(clip("demo", settings).frames()).image_bgr)
    shown = [there[n % len(there)] for n in range(round(STAY_S * FPS))]
    once = [*shown, *[nobody] * round(AWAY_S * FPS)]
    for index, image in enumerate(once):
        first = folder / f"{index}.jpg"
        cv2.imwrite(str(first), image)
        for visit in range(1, visits):
            os.link(first, folder / f"{visit * len(once) + index}.jpg")
    last = folder / f"{len(once) - 1}.jpg"
    for index in range(round(AWAY_S * FPS)):
        os.link(last, folder / f"{visits * len(once) + index}.jpg")
    return folder


def _beside_mirror_image(image_bgr: Pixels) -> Pixels:
    width = image_bgr.shape[1]
    half = image_bgr[:, round(VISITOR_LEFT * width) : round(VISITOR_LEFT * width) + width // 2]
    return np.hstack([half, half[:, ::-1]])
