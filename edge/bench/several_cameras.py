"""Measures what several cameras on this machine cost together: one daemon for each.

All daemons start at the same time and play the demo clip at `FPS`. They have their own outboxes and
one broker. What they cost is measured from the moment at which all are online until the clip ends.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.bench.daemon_process import BASE, Daemon, running, workspace
from edge.bench.footage import DEMO, DEMO_EVENTS
from edge.bench.machine import machine
from edge.bench.processes import cpu_s, proportional_mb
from edge.common.errors import UserError
from edge.common.terminal import Terminal
from edge.config.settings import Settings
from edge.mqtt.broker import Broker, new_client

#: Seconds until all daemons must be online, for each; a Pi Zero takes about ten seconds.
START_S = 30.0
#: Seconds after which the clip, which lasts 28 s, must have ended.
END_S = 180.0
#: Interval between two readings of the memory.
POLL_S = 0.5


@dataclass(frozen=True)
class CameraFigures:
    """The cost of `cameras` daemons together.

    `cores`: processor time per second, in cores. `memory_mb`: their peak memory in MiB, with pages
    that they share counted once; None where the system does not report it. `fps`: the lowest mean
    rate of processed frames of a daemon. `events`: events that arrived at a subscriber, and
    `lost_events`: those of the clip that did not.
    """

    cameras: int
    cores: float
    memory_mb: float | None
    fps: float
    events: int
    lost_events: int


def bench_cameras(settings: Settings, counts: Sequence[int], as_json: bool) -> int:
    """Measure each number of cameras in `counts`, and print the figures; return the exit code 0.

    Raises UserError when the embedded broker is not installed, or when a daemon fails.
    """
    here = machine()
    screen = Terminal(sys.stderr)
    figures = []
    try:
        for count in counts:
            screen.status(f"{_cameras(count)} …")
            figures.append(camera_figures(settings, count))
    finally:
        screen.status("")
    lines = [_json(here, figures)] if as_json else list(_text(here, figures))
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def camera_figures(settings: Settings, cameras: int) -> CameraFigures:
    """Run `cameras` daemons until the demo clip ends; raises UserError when one fails."""
    with workspace() as here, _Arrivals(here.broker) as arrivals, ExitStack() as stack:
        devices = [f"camera{number}" for number in range(1, cameras + 1)]
        configs = [here.configuration(settings, device, Path(DEMO)) for device in devices]
        before_s = _ended_children_s()
        daemons = [stack.enter_context(running(config)) for config in configs]
        arrivals.wait_online(devices, lambda: _failed(daemons), START_S * cameras)
        began_s, at_start_s = time.perf_counter(), sum(cpu_s(d.process_id) for d in daemons)
        memory_mb = _peak_until_the_end(daemons)
        lasted_s = time.perf_counter() - began_s
        if problem := _failed(daemons):
            raise UserError(problem)
        used_s = _ended_children_s() - before_s - at_start_s
        return CameraFigures(
            cameras,
            round(used_s / lasted_s, 3),
            None if memory_mb is None else round(memory_mb, 1),
            arrivals.lowest_fps(devices),
            arrivals.events(),
            arrivals.lost_events(devices, len(DEMO_EVENTS)),
        )


def _failed(daemons: Sequence[Daemon]) -> str | None:
    """Return the problem of a daemon that has ended with an error, None without one."""
    for daemon in daemons:
        if daemon.exit_code() not in (None, 0):
            return f"a daemon failed: {daemon.last_line() or daemon.exit_code()}"
    return None


def _peak_until_the_end(daemons: Sequence[Daemon]) -> float | None:
    """Wait until all daemons have ended; return the peak of their memory together, in MiB.

    Raises UserError when they do not end.
    """
    deadline_s, peak_mb = time.monotonic() + END_S, None
    tick = threading.Event()
    while not all(daemon.has_ended() for daemon in daemons):
        if time.monotonic() > deadline_s:
            raise UserError(f"the clip has not ended after {END_S:g} s: try fewer cameras")
        found = [proportional_mb(daemon.process_id) for daemon in daemons]
        if all(found):
            peak_mb = max(peak_mb or 0.0, sum(mb for mb in found if mb))
        tick.wait(POLL_S)
    return peak_mb


def _ended_children_s() -> float:
    """Return the processor time of all processes that this one has started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class _Arrivals:
    """A subscriber that records what the daemons publish, while `with` lasts."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._changed = threading.Condition()
        self._subscribed = False
        self._online: set[str] = set()
        self._events: set[tuple[str, int]] = set()
        self._fps: dict[str, float] = {}
        self._client = new_client(broker)
        self._client.on_connect = lambda client, *_: client.subscribe(f"{BASE}/#", qos=1)
        self._client.on_subscribe = lambda *_: self._set_subscribed()
        self._client.on_message = lambda _client, _data, message: self._take(
            message.topic, bytes(message.payload)
        )

    def __enter__(self) -> _Arrivals:
        self._client.connect(self._broker.host, self._broker.port)
        self._client.loop_start()
        self._wait(lambda: self._subscribed, lambda: None, START_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def wait_online(
        self, devices: Sequence[str], problem: Callable[[], str | None], within_s: float
    ) -> None:
        """Wait until all devices are online; raises UserError when one fails or takes longer."""
        self._wait(lambda: self._online.issuperset(devices), problem, within_s)

    def lowest_fps(self, devices: Sequence[str]) -> float:
        """Return the lowest frame rate that the devices reported last."""
        with self._changed:
            return min(self._fps.get(device, 0.0) for device in devices)

    def events(self) -> int:
        """Return how many different events have arrived."""
        with self._changed:
            return len(self._events)

    def lost_events(self, devices: Sequence[str], each: int) -> int:
        """Return how many of the events 1 to `each` of each device have not arrived."""
        expected = {(device, seq) for device in devices for seq in range(1, each + 1)}
        # The broker has acknowledged all events, but may still have to pass some on.
        with self._changed:
            self._changed.wait_for(lambda: self._events >= expected, START_S)
            return len(expected - self._events)

    def _wait(
        self, condition: Callable[[], bool], problem: Callable[[], str | None], within_s: float
    ) -> None:
        deadline_s = time.monotonic() + within_s
        with self._changed:
            while not condition():
                if (text := problem()) or time.monotonic() > deadline_s:
                    raise UserError(text or f"the daemons were not online after {within_s:g} s")
                self._changed.wait(0.1)

    def _set_subscribed(self) -> None:
        with self._changed:
            self._subscribed = True
            self._changed.notify_all()

    def _take(self, topic: str, payload: bytes) -> None:
        _, device, leaf, *_ = topic.split("/")
        with self._changed:
            if leaf == "status" and payload == b"online":
                self._online.add(device)
            elif leaf == "events":
                self._events.add((device, json.loads(payload)["seq"]))
            elif leaf == "health":
                self._fps[device] = json.loads(payload)["fps"]
            self._changed.notify_all()


def _text(here: dict[str, str | int | float], figures: Sequence[CameraFigures]) -> Iterator[str]:
    yield f"{here['processor']}, {here['cores']} cores, load {here['load']} before the start"
    for each in figures:
        memory = "?" if each.memory_mb is None else f"{each.memory_mb:.0f}"
        yield (
            f"{_cameras(each.cameras):<10} {each.cores:.2f} cores, {memory} MiB of memory,"
            f" {each.fps:.1f} frames/s, {each.events} events, {each.lost_events} of them lost"
        )


def _json(here: dict[str, str | int | float], figures: Sequence[CameraFigures]) -> str:
    return json.dumps({"machine": here, "cameras": [asdict(each) for each in figures]})


def _cameras(count: int) -> str:
    return "1 camera" if count == 1 else f"{count} cameras"
