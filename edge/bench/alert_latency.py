"""How long an alert takes from the capture of its frame until the broker has acknowledged it.

The daemon runs for real and times its own alerts (`stages_ms.alert` of `health`), while two
people with bare faces come, are in view together, and leave, again and again.
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

from edge.bench.daemon_process import BASE, FPS, place, running
from edge.bench.footage import clip, people
from edge.bench.results import AlertFigures
from edge.common.arrays import Pixels
from edge.common.errors import UserError
from edge.config.settings import Settings
from edge.mqtt.broker import Broker, new_client

#: Two starts and two ends each time. People stay so long, and are away until they have left.
VISITS, STAY_S, AWAY_S = 6, 2.0, 2.5
#: A Pi Zero may take twice as long as the footage.
PATIENCE_S = 3.0 * VISITS * (STAY_S + AWAY_S) + 60.0
DEVICE = "bench-alerts"
#: The columns of the demo's picture, as shares of its width, in which its first visitor stands.
FROM, UNTIL = 0.22, 0.72


def alert_figures(settings: Settings, visits: int = VISITS) -> AlertFigures:
    """Watch `visits` of the two; raises UserError when there is no embedded broker, or when the
    daemon fails."""
    with place() as here:
        pictures = _write_visits(settings, here.folder / "visits", visits)
        config = here.configuration(settings, DEVICE, pictures)
        newest = _Newest(here.broker)
        try:
            with running(config) as daemon:
                figures = newest.wait_for(4 * visits, daemon.over)
                if figures is None:
                    reason = daemon.last_words() or "too few alerts came"
                    raise UserError(f"alerts could not be timed: {reason}")
        finally:
            newest.close()
    alert = figures["stages_ms"]["alert"]
    return AlertFigures(alert["p50"], alert["p95"], figures["events_acknowledged"])


class _Newest:
    """A subscriber that keeps the daemon's newest `health`."""

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
        """The first that tells of so many; None when it came to nothing."""
        deadline_s = time.monotonic() + PATIENCE_S
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
    """Pictures at `FPS`: the demo's first visitor and their mirror image side by side, then
    nobody; and nobody for a while at the end, so that `health` tells of the last ends."""
    folder.mkdir()
    there = [_twice(frame.image_bgr) for frame in people(settings).frames()]
    nobody = _twice(next(clip("demo", settings).frames()).image_bgr)
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


def _twice(image_bgr: Pixels) -> Pixels:
    width = image_bgr.shape[1]
    half = image_bgr[:, round(FROM * width) : round(FROM * width) + width // 2]
    return np.hstack([half, half[:, ::-1]])
