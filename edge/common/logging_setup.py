"""Logs for people, for the journal and for machines; what repeats is told now and then."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Literal, TextIO

from edge.common.clock import iso_utc

LogFormat = Literal["auto", "text", "journal", "json"]
FORMATS: tuple[LogFormat, ...] = ("auto", "text", "journal", "json")
# systemd sets this when standard error goes to the journal, which has its own clock.
JOURNAL = "JOURNAL_STREAM"
#: syslog(3) levels, which the journal takes from a `<n>` at the start of a line.
PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7))
#: The same message may come so often within the time; then it is counted in silence.
BURST, QUIET_S = 5, 60.0
#: Loggers of what must not be held back: the events.
NEVER_LIMITED = ("edge.daemon.event_writer",)
#: Different messages that are counted at a time; the oldest is forgotten.
COUNTED = 256


def set_up(
    level: str,
    format_: LogFormat = "auto",
    stream: TextIO | None = None,
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Send all logs to `stream` (default: standard error), as text for people, with the
    journal's priorities when it reads us, or as one JSON object a line."""
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
    """Lets `BURST` messages of one kind pass in `QUIET_S`, then says how many it held back.

    A kind is a logger, a level and the message before its figures are filled in. Errors
    of our own code (with a traceback) are limited likewise: a full journal hides the rest.
    Events are not: each is told.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing was said yet."""
        super().__init__()
        self._clock = clock
        self._seen: dict[tuple[str, int, str], _Seen] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether `record` may be told; it tells of those that were not, too."""
        if record.name in NEVER_LIMITED:
            return True
        # A message that is nothing but what is filled in is a kind of its own.
        text = str(record.msg)
        key = (record.name, record.levelno, record.getMessage() if text == "%s" else text)
        now_s = self._clock()
        seen = self._seen.pop(key, None)
        held_back = 0
        if seen is None or now_s - seen.since_s >= QUIET_S:
            held_back = max(0, seen.count - BURST) if seen else 0
            seen = _Seen(now_s)
        seen.count += 1
        self._seen[key] = seen  # the newest at the end
        if len(self._seen) > COUNTED:
            del self._seen[next(iter(self._seen))]
        if held_back:
            record.msg = f"{record.getMessage()} (and {held_back} more like this)"
            record.args = None
        return seen.count <= BURST


class _Seen:
    def __init__(self, since_s: float) -> None:
        self.since_s = since_s
        self.count = 0


class _Text(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")


class _Journal(logging.Formatter):
    """A priority before each line, as a traceback has many."""

    def __init__(self) -> None:
        super().__init__("%(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        priority = next((p for level, p in PRIORITIES if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines())


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        body = {
            "time": iso_utc(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            body["traceback"] = self.formatException(record.exc_info)
        return json.dumps(body, ensure_ascii=False)


_FORMATTERS: dict[str, Callable[[], logging.Formatter]] = {
    "text": _Text,
    "journal": _Journal,
    "json": _Json,
}
