"""Log output as text, for the systemd journal or as JSON, with a rate limit for repetitions."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TextIO

from edge.common.clock import iso_utc
from edge.common.hidden_passwords import hide_passwords

LogFormat = Literal["auto", "text", "journal", "json"]
FORMATS: tuple[LogFormat, ...] = ("auto", "text", "journal", "json")
#: Environment variable that systemd sets when standard error is connected to the journal.
JOURNAL = "JOURNAL_STREAM"
#: syslog(3) priorities, which the journal reads from a prefix `<n>` of each line.
PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7))
#: How many messages of one kind are logged in each interval, and the length of the interval in
#: seconds. Further messages are only counted.
BURST, INTERVAL_S = 5, 60.0
#: Loggers without a rate limit: every event must be logged, and so must every wrong password, which
#: the dashboard limits for each address.
UNLIMITED = ("edge.daemon.event_writer", "edge.dashboard.access.login_attempts")
#: How many kinds of messages are remembered; beyond that, the one that was logged least recently
#: is removed.
MAX_KINDS = 256


def set_up(
    level: str,
    format_: LogFormat = "auto",
    stream: TextIO | None = None,
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Send all logs of at least `level` to `stream` (default: standard error).

    `format_` is `text` with the time, `journal` with priorities and without the time, or `json`
    with one object per line. `auto` is `journal` if the journal reads standard error, else `text`.
    """
    if format_ == "auto":
        format_ = "journal" if JOURNAL in environment else "text"
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_FORMATTERS[format_]())
    handler.addFilter(RateLimit())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())


class RateLimit(logging.Filter):
    """Passes `BURST` messages of one kind per `INTERVAL_S`, and reports how many were withheld.

    A kind is a logger, a level and the message before its arguments are inserted. Unexpected
    errors (with a traceback) are limited too, because a full journal would hide all other
    messages. The loggers in `UNLIMITED` are not limited.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds and never decreases."""
        super().__init__()
        self._clock = clock
        self._intervals: dict[tuple[str, int, str], _Interval] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether `record` is logged.

        The first record after an interval in which records were withheld mentions their number.
        """
        if record.name in UNLIMITED:
            return True
        # If the message is only `%s`, the kind is determined by the complete text.
        text = str(record.msg)
        key = (record.name, record.levelno, record.getMessage() if text == "%s" else text)
        now_s = self._clock()
        interval = self._intervals.pop(key, None)
        withheld = 0
        if interval is None or now_s - interval.started_s >= INTERVAL_S:
            withheld = max(0, interval.count - BURST) if interval else 0
            interval = _Interval(now_s)
        interval.count += 1
        self._intervals[key] = interval  # the most recent kind is the last key
        if len(self._intervals) > MAX_KINDS:
            del self._intervals[next(iter(self._intervals))]
        if withheld:
            record.msg = f"{record.getMessage()} (and {withheld} more like this)"
            record.args = None
        return interval.count <= BURST


@dataclass
class _Interval:
    """The present interval of one kind of message, and how many messages arrived in it."""

    started_s: float
    count: int = 0


class _Text(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return hide_passwords(super().format(record))


class _Journal(logging.Formatter):
    """Puts the priority before each line of a traceback; the journal itself adds the time."""

    def __init__(self) -> None:
        super().__init__("%(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        text = hide_passwords(super().format(record))
        priority = next((p for level, p in PRIORITIES if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in text.splitlines())


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        body = {
            "time": iso_utc(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": hide_passwords(record.getMessage()),
        }
        if record.exc_info:
            body["traceback"] = hide_passwords(self.formatException(record.exc_info))
        return json.dumps(body, ensure_ascii=False)


_FORMATTERS: dict[str, Callable[[], logging.Formatter]] = {
    "text": _Text,
    "journal": _Journal,
    "json": _Json,
}
