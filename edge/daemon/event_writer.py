"""Turns events into numbered payloads and commits them to the outbox and the events file."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from edge.common.clock import Moment, UtcClock, clock_is_synchronised, now
from edge.common.errors import UsageError
from edge.common.stage_times import StageTimes
from edge.events.alert_machine import Event
from edge.mqtt.delivery import EventSink
from edge.mqtt.payloads import Origin, end_after_restart, event_payload
from edge.outbox.tables import PendingEvent

log = logging.getLogger(__name__)


class EventWriter:
    """Commits each event to the sink, and copies it to the events file if there is one.

    Used by the main thread only; `written`, `last` and `last_at` may be read from any thread.
    """

    def __init__(
        self,
        origin: Origin,
        utc: UtcClock,
        sink: EventSink,
        events_file: BinaryIO | None,
        times: StageTimes,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """`events_file` is an open, unbuffered file for JSON lines, or None. `clock` is the
        clock that live frames are timed with, None for frames with a recording's own times."""
        self._origin = origin
        self._utc = utc
        self._sink = sink
        self._events_file = events_file
        self._file_failing = False
        self._times = times
        self._clock = clock
        #: How many events were committed.
        self.written = 0
        #: The payload of the newest event, and when it was committed; None before the first event.
        self.last: dict[str, Any] | None = None
        self.last_at: Moment | None = None

    def change_origin(self, origin: Origin) -> None:
        """Name another camera or model in the events from now on."""
        self._origin = origin

    def write(self, event: Event, captured_at_s: float | None = None) -> dict[str, Any]:
        """Commit `event`; it is safe in the sink on return. Return its body, as the schema says.

        `captured_at_s` is the capture time of the frame that caused the event, None when no
        frame caused it.
        """
        lag_s = None
        if self._clock is not None and captured_at_s is not None:
            lag_s = self._clock() - captured_at_s
        payload = event_payload(event, self._origin, self._utc, clock_is_synchronised())
        body = self._commit(payload, lag_s)
        log.info(
            "%s %s score %.2f%s",
            event.event_type,
            event.episode,
            event.score,
            f" ended by {event.ended_by}" if event.ended_by else "",
        )
        return body

    def end_interrupted(self, starts: Sequence[PendingEvent]) -> None:
        """Commit an end for each alert that was running when the previous run was interrupted;
        `starts` are the start events of these alerts."""
        for start in starts:
            self._commit(end_after_restart(start, now()))
            log.warning(
                "the alert %s was interrupted by a crash or a power failure",
                start.payload.get("id"),
            )

    def _commit(self, payload: dict[str, Any], lag_s: float | None = None) -> dict[str, Any]:
        with self._times.measure("commit"):
            seq = self._sink.put(payload, lag_s)
        self.written += 1
        self.last, self.last_at = {**payload, "seq": seq}, now()
        body = {**self.last, "age_s": 0.0, "replayed": False}
        if self._events_file is not None:
            self._copy(body)
        return body

    def _copy(self, body: dict[str, Any]) -> None:
        assert self._events_file is not None
        try:
            self._events_file.write(f"{json.dumps(body)}\n".encode())
            self._file_failing = False
        except OSError as error:
            # Events are delivered over MQTT; a failure of the file must not stop that.
            if not self._file_failing:
                log.error("cannot write to the events file: %s", error.strerror)
            self._file_failing = True


def open_events_file(path: Path | None) -> AbstractContextManager[BinaryIO | None]:
    """Open `path` for appending, as a context manager; None without a path.

    Raises UsageError when the file cannot be written.
    """
    if path is None:
        return nullcontext()
    try:
        # Unbuffered: each line is in the file as soon as it is written, and closing cannot fail.
        return path.open("ab", buffering=0)
    except OSError as error:
        raise UsageError(f"cannot write the events file {path}: {error.strerror}") from None
