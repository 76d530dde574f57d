"""Measures how long the daemon takes to start, with a real process, broker, and subscriber.

The daemon plays ten pictures a second, each with a bare face, and is stopped at the first alert.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2

from edge.bench.daemon_process import BASE, running, workspace
from edge.bench.footage import people
from edge.bench.processes import PeakMemory
from edge.bench.results import Spread, StartFigures
from edge.common.errors import UserError
from edge.config.settings import Settings
from edge.mqtt.broker import CONNECT_TIMEOUT_S, Broker, new_client, no_connack_error

#: Timeout of a start; a Pi Zero takes about ten seconds.
TIMEOUT_S = 60.0
#: The marks of a start, in the order in which they are reached.
ONLINE, READING, ALERT = "online", "reading", "alert"


@dataclass(frozen=True)
class Start:
    """One start: seconds to each mark, and the peak memory of the process in MiB."""

    marks_s: dict[str, float]
    peak_mb: float | None


def start_figures(
    settings: Settings, times: int, show_step: Callable[[str], None] = lambda _: None
) -> StartFigures:
    """Start the daemon `times` times; `show_step` is called with a line of progress at each start.

    Raises UserError when the embedded broker is not installed, or when the daemon fails.
    """
    with workspace() as here:
        pictures = _write_pictures(settings, here.folder / "pictures")
        starts = []
        for number in range(1, times + 1):
            show_step(f"start {number} of {times}")
            device = f"bench{number}"
            config = here.configuration(settings, device, pictures)
            starts.append(one_start(config, here.broker, device))
    peaks = [start.peak_mb for start in starts if start.peak_mb is not None]
    online, reading, alert = (
        Spread.of([start.marks_s[mark] for start in starts]) for mark in (ONLINE, READING, ALERT)
    )
    return StartFigures(online, reading, alert, round(max(peaks), 1) if peaks else None)


def one_start(config: Path, broker: Broker, device: str) -> Start:
    """Start a daemon with `config` and stop it at the first alert.

    Raises UserError when it ends by itself or takes longer than `TIMEOUT_S`.
    """
    with _Marks(broker, device) as marks:
        marks.begin()
        with running(config) as daemon, PeakMemory(daemon.process_id) as memory:
            if not marks.wait_for(ALERT, daemon.has_ended):
                reason = daemon.last_line() or f"no alert came within {TIMEOUT_S:g} s"
                raise UserError(f"the daemon's start could not be timed: {reason}")
        return Start(marks.reached_s, memory.mb)


class _Marks:
    """A subscriber that records when the device reaches each mark, while `with` lasts."""

    def __init__(self, broker: Broker, device: str) -> None:
        self.reached_s: dict[str, float] = {}
        self._broker = broker
        self._topic = f"{BASE}/{device}"
        self._began_s = 0.0
        self._changed = threading.Condition()
        self._subscribed = threading.Event()
        self._client = new_client(broker)
        self._client.on_connect = lambda client, *_: client.subscribe(f"{self._topic}/#", qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _client, _data, message: self._take(
            message.topic.removeprefix(f"{self._topic}/"), bytes(message.payload)
        )

    def __enter__(self) -> _Marks:
        self._client.connect(self._broker.host, self._broker.port)
        self._client.loop_start()
        if not self._subscribed.wait(CONNECT_TIMEOUT_S):
            self.__exit__()
            raise no_connack_error(self._broker)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def begin(self) -> None:
        """Count times from now on."""
        self._began_s = time.perf_counter()

    def wait_for(self, mark: str, is_over: Callable[[], bool]) -> bool:
        """Wait for `mark`; return False when the process ends or the time-out passes first."""
        deadline_s = self._began_s + TIMEOUT_S
        with self._changed:
            while mark not in self.reached_s:
                if is_over() or time.perf_counter() > deadline_s:
                    return False
                self._changed.wait(0.1)
        return True

    def _take(self, leaf: str, payload: bytes) -> None:
        mark = mark_of(leaf, payload)
        with self._changed:
            if mark is not None:
                self.reached_s.setdefault(mark, time.perf_counter() - self._began_s)
            self._changed.notify_all()


def mark_of(leaf: str, payload: bytes) -> str | None:
    """Return the mark that a message shows as reached, or None.

    `state` counts a person as soon as a face was classified for the first time.
    """
    if leaf == "status" and payload == b"online":
        return ONLINE
    if leaf == "state" and json.loads(payload)["people"] > 0:
        return READING
    return ALERT if leaf == "events" else None


def _write_pictures(settings: Settings, folder: Path) -> Path:
    folder.mkdir()
    for frame in people(settings).frames():
        cv2.imwrite(str(folder / f"{frame.index}.jpg"), frame.image_bgr)
    return folder
