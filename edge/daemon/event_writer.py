"""Events get their bodies and their numbers and go where they belong."""

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
    """Commits each event to the sink, and copies it to the events file if there is one."""

    def __init__(
        self,
        origin: Origin,
        utc: UtcClock,
        sink: EventSink,
        event_log: BinaryIO | None,
        times: StageTimes,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """`event_log`: an open, unbuffered file for JSON lines, or None. `clock`: that of the
        frames, None where these bear times of their own."""
        self._origin = origin
        self._utc = utc
        self._sink = sink
        self._log = event_log
        self._log_fails = False
        self._times = times
        self._clock = clock
        self.written = 0
        #: The body of the newest event, and when it was committed; None before the first.
        self.last: dict[str, Any] | None = None
        self.last_at: Moment | None = None

    def change_origin(self, origin: Origin) -> None:
        """Name another camera or model as the origin of the events from now on."""
        self._origin = origin

    def write(self, event: Event, captured_at_s: float | None = None) -> None:
        """`event` is safe in the sink when this returns; `captured_at_s` is that of the frame
        that brought it, if one did."""
        lag_s = None
        if self._clock is not None and captured_at_s is not None:
            lag_s = self._clock() - captured_at_s
        payload = event_payload(event, self._origin, self._utc, clock_is_synchronised())
        self._commit(payload, lag_s)
        log.info(
            "%s %s score %.2f%s",
            event.event_type,
            event.episode,
            event.score,
            f" ended by {event.ended_by}" if event.ended_by else "",
        )

    def end(self, cut_off: Sequence[PendingEvent]) -> None:
        """End the alerts that ran when the last run was cut off."""
        for start in cut_off:
            self._commit(end_after_restart(start, now()))
            log.warning("%s was cut off by a crash or a power cut", start.payload.get("id"))

    def _commit(self, payload: dict[str, Any], lag_s: float | None = None) -> None:
        with self._times.measure("commit"):
            seq = self._sink.put(payload, lag_s)
        self.written += 1
        self.last, self.last_at = {**payload, "seq": seq}, now()
        if self._log is not None:
            try:
                line = json.dumps({**payload, "seq": seq, "age_s": 0.0, "replayed": False})
                self._log.write(f"{line}\n".encode())
                self._log_fails = False
            except OSError as error:
                # MQTT is the delivery; the file is a convenience that must not stop it.
                if not self._log_fails:
                    log.error("cannot write to the events file: %s", error.strerror)
                self._log_fails = True


def open_event_file(path: Path | None) -> AbstractContextManager[BinaryIO | None]:
    """`path` opened for appending, as a context; None gives None.

    Raises UsageError when it cannot be written.
    """
    if path is None:
        return nullcontext()
    try:
        # Unbuffered: a line is in the file when it is written, and closing cannot fail.
        return path.open("ab", buffering=0)
    except OSError as error:
        raise UsageError(f"cannot write the events file {path}: {error.strerror}") from None
