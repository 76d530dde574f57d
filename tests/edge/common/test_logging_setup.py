from __future__ import annotations

import io
import json
import logging
import re

from edge.common.logging_setup import BURST, INTERVAL_S, MAX_KINDS, LogFormat, RateLimit, set_up
from tests.support.clock import Clock


def logged(format_: LogFormat, environment: dict[str, str] | None = None) -> str:
    """Return the output for a debug message, a warning, and an error with a traceback."""
    stream = io.StringIO()
    set_up("info", format_, stream, environment or {})
    log = logging.getLogger("edge.test")
    log.debug("never")
    log.warning("%s is gone", "door1")
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        log.exception("unforeseen")
    return stream.getvalue()


def record_of(logger: str, level: int, message: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord(logger, level, "", 0, message, arguments, None)


def test_text_contains_time_level_and_logger() -> None:
    first = logged("auto").splitlines()[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \S+ WARNING edge\.test: door1 is gone", first)


def test_journal_lines_have_priorities_and_no_time() -> None:
    lines = logged("auto", {"JOURNAL_STREAM": "8:1"}).splitlines()
    assert lines[0] == "<4>edge.test: door1 is gone"
    assert lines[1] == "<3>edge.test: unforeseen"
    assert len(lines) > 3
    assert all(line.startswith("<3>") for line in lines[1:])


def test_json_has_one_object_per_line() -> None:
    first, second = (json.loads(line) for line in logged("json").splitlines())
    assert (first["level"], first["logger"], first["message"]) == (
        "warning",
        "edge.test",
        "door1 is gone",
    )
    assert first["time"].endswith("Z")
    assert "RuntimeError: boom" in second["traceback"]


def test_repetitions_are_withheld_and_counted() -> None:
    clock = Clock()
    limit = RateLimit(clock)

    def output(number: int) -> str | None:
        record = record_of("edge", logging.WARNING, "lost %d", number)
        return record.getMessage() if limit.filter(record) else None

    outputs = [output(n) for n in range(BURST + 7)]
    assert outputs == [f"lost {n}" for n in range(BURST)] + [None] * 7
    clock.advance(INTERVAL_S)
    assert output(99) == "lost 99 (and 7 more like this)"
    assert output(100) == "lost 100"


def test_number_of_remembered_kinds_is_limited() -> None:
    limit = RateLimit(lambda: 0.0)
    for n in range(10 * MAX_KINDS):
        assert limit.filter(record_of("edge", logging.INFO, f"kind {n}"))
    assert len(limit._intervals) == MAX_KINDS


def test_events_are_not_limited() -> None:
    limit = RateLimit(lambda: 0.0)
    assert all(
        limit.filter(
            record_of("edge.daemon.event_writer", logging.WARNING, "%s %s", "no_mask_start", n)
        )
        for n in range(50)
    )


def test_different_texts_of_a_bare_argument_are_different_kinds() -> None:
    limit = RateLimit(lambda: 0.0)

    def passes(text: str) -> bool:
        return limit.filter(record_of("edge.camera.feed_status", logging.WARNING, "%s", text))

    assert all(passes(f"reason {n}") for n in range(50))
    assert [passes("the same") for _ in range(9)].count(True) == BURST
