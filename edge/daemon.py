"""`mask-patrol run`: the rooms put together, from opening the source to saying goodbye."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.camera import Frame, Source
from edge.camera.addresses import shown_source
from edge.camera.capture import NewestFrame, every_frame
from edge.camera.opening import open_source
from edge.classifier import alert_threshold, load_classifier
from edge.config import Settings
from edge.delivery import Delivery, Nowhere
from edge.detector import HaarDetector
from edge.health import StageTimes
from edge.payloads import Origin, UtcClock, monotonic_offset_s
from edge.pipeline import Pipeline
from edge.reporter import HealthReporter, Progress, StateReporter, info_body
from edge.screen import Screen, stage_table
from edge.watch import Watcher
from edge.writer import EventWriter, open_event_file

log = logging.getLogger(__name__)

EXIT_UNDELIVERED = 3
#: A source that hangs is left behind after this; the process ends anyway.
SOURCE_FAREWELL_S = 2.0
#: How long the closing summary waits for what the broker still hands round.
ECHO_S = 2.0
#: How long the start waits for the watching subscriber, so that it misses nothing.
SUBSCRIBE_S = 5.0
STATUS_INTERVAL_S = 0.5


@dataclass(frozen=True)
class RunOptions:
    """What the command line adds to the settings."""

    events_file: Path | None = None
    mqtt: bool = True
    fast: bool = False
    watch: bool = False


def run(settings: Settings, options: RunOptions) -> int:
    """Work until the source ends or we are told to stop; returns the exit code.

    0: ended or stopped as asked; `EXIT_UNDELIVERED`: the source ended and events
    still wait in the outbox. Raises UserError for whatever keeps it from working.
    """
    stopped = threading.Event()
    screen = Screen()
    times = StageTimes()
    with ExitStack() as stack:
        classifier = load_classifier(settings.classifier)
        detector = HaarDetector(settings.detector)
        event_log = stack.enter_context(open_event_file(options.events_file))
        source = open_source(settings.camera)
        stack.callback(source.close)
        utc = UtcClock(_utc_offset(source, options.fast))
        pipeline = Pipeline(settings, detector, classifier, utc, times)
        _stop_on_signals(stopped, stack)
        delivery = stack.enter_context(Delivery(settings, times)) if options.mqtt else None
        watcher = _start_watcher(settings, options, delivery, screen, stack)
        threshold = alert_threshold(settings.events, classifier.card)
        if delivery is not None:
            delivery.retain("info", info_body(settings, classifier, threshold), qos=1)
            delivery.start()
        origin = Origin(settings.device, settings.camera.name, classifier.digest)
        frames = _frames(source, options.fast, stopped, stack)
        loop = _Loop(
            pipeline,
            EventWriter(origin, utc, delivery or Nowhere(), event_log, times),
            StateReporter(delivery or Nowhere(), utc),
            Progress(),
            screen if options.watch else None,
        )
        log.info("%s", _opening(settings, delivery))
        if options.watch:
            screen.show(f"{_opening(settings, delivery)} Ctrl-C stops.\n")
        counters = _counters(delivery, frames)
        interval_s = settings.mqtt.health_interval_s
        waiting = 0
        try:
            with HealthReporter(delivery or Nowhere(), loop.progress, times, counters, interval_s):
                loop.run(frames, times)
        finally:
            if delivery is not None:
                waiting = _deliver_the_rest(delivery)
            if watcher is not None and delivery is not None:
                watcher.wait_for(delivery.publisher.acknowledged, ECHO_S)
            if options.watch:
                for line in _closing(loop, counters(), watcher, times):
                    screen.show(line)
    return EXIT_UNDELIVERED if waiting and not stopped.is_set() else 0


def _deliver_the_rest(delivery: Delivery) -> int:
    """Give the broker what it will still take; how many events wait on disk after that."""
    waiting = delivery.flush()
    if waiting:
        log.warning(
            "%d events were not delivered (%s); they wait in %s",
            waiting,
            delivery.publisher.failure or "the broker was too slow",
            delivery.outbox.path,
        )
    return waiting


class _Loop:
    """Frames through the pipeline until they end; always ends what is running."""

    def __init__(
        self,
        pipeline: Pipeline,
        writer: EventWriter,
        state: StateReporter,
        progress: Progress,
        screen: Screen | None,
    ) -> None:
        self.pipeline = pipeline
        self.writer = writer
        self.progress = progress
        self._state = state
        self._screen = screen
        self._now_s = 0.0
        self._status_due_s = 0.0

    def run(self, frames: Iterable[Frame], times: StageTimes) -> None:
        try:
            for frame in frames:
                self._now_s = frame.captured_at_s
                with times.measure("frame"):
                    for event in self.pipeline.process(frame):
                        self.writer.write(event)
                self._report()
        finally:
            if self._screen:
                self._screen.status("")
            for event in self.pipeline.finish(self._now_s):
                self.writer.write(event)
            if self.pipeline.frames:
                self._state.update(0, 0, self._now_s, self.pipeline.counts)

    def _report(self) -> None:
        self.progress.frame_done()
        alerting, people = self.pipeline.alerting, len(self.pipeline.tracks)
        self._state.update(alerting, people, self._now_s, self.pipeline.counts)
        elapsed_s = self.progress.elapsed_s()
        if self._screen and elapsed_s >= self._status_due_s:
            self._status_due_s = elapsed_s + STATUS_INTERVAL_S
            self._screen.status(
                f"{elapsed_s:6.1f} s   {self.progress.frames / elapsed_s:4.1f} frames/s   "
                f"in view: {people}   bare-faced: {alerting}"
            )


def _frames(
    source: Source, fast: bool, stopped: threading.Event, stack: ExitStack
) -> Iterable[Frame]:
    if fast and not source.live:
        return every_frame(source, stopped)
    newest = NewestFrame(source, stopped)
    stack.callback(newest.join, SOURCE_FAREWELL_S)
    stack.callback(stopped.set)
    return newest


def _utc_offset(source: Source, fast: bool) -> Any:
    if fast and not source.live:
        started_s = time.time()
        return lambda: started_s
    return monotonic_offset_s


def _start_watcher(
    settings: Settings,
    options: RunOptions,
    delivery: Delivery | None,
    screen: Screen,
    stack: ExitStack,
) -> Watcher | None:
    if not options.watch or delivery is None:
        return None
    watcher = Watcher(delivery.broker, settings.mqtt.base, screen.show, settings.device)
    watcher.start_in_background(SUBSCRIBE_S)
    stack.callback(watcher.stop)
    return watcher


def _stop_on_signals(stopped: threading.Event, stack: ExitStack) -> None:
    """The first SIGINT or SIGTERM asks for a clean stop; a second one is not held back."""

    def ask_to_stop(number: int, _frame: object) -> None:
        stopped.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        stack.callback(signal.signal, number, signal.signal(number, ask_to_stop))


def _counters(delivery: Delivery | None, frames: Iterable[Frame]) -> Any:
    def counters() -> dict[str, Any]:
        return {
            "frames_dropped": frames.dropped if isinstance(frames, NewestFrame) else 0,
            "outbox_depth": delivery.outbox.depth() if delivery else 0,
            "events_dropped": delivery.outbox.dropped if delivery else 0,
            "events_acknowledged": delivery.publisher.acknowledged if delivery else 0,
            "connections": delivery.publisher.connections if delivery else 0,
        }

    return counters


def _opening(settings: Settings, delivery: Delivery | None) -> str:
    where = "no MQTT"
    if delivery is not None:
        kind = "embedded broker" if delivery.embedded else "broker"
        where = (
            f"{kind} {delivery.broker.address}, topic {settings.mqtt.base}/{settings.device}/events"
        )
    return f"Watching {shown_source(settings.camera)}; {where}."


def _closing(
    loop: _Loop, counters: dict[str, Any], watcher: Watcher | None, times: StageTimes
) -> list[str]:
    elapsed_s = loop.progress.elapsed_s()
    frames = loop.progress.frames
    delivered = f"{counters['events_acknowledged']} acknowledged by the broker"
    if watcher is not None:
        delivered += f", {watcher.received} received back"
    return [
        "",
        *stage_table(times.quantiles()),
        "",
        f"{frames} frames in {elapsed_s:.1f} s ({frames / max(elapsed_s, 1e-9):.1f} a second), "
        f"{counters['frames_dropped']} dropped",
        f"{loop.writer.written} events: {delivered}, {counters['outbox_depth']} waiting",
    ]
