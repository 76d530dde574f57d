from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from edge.common.logging_setup import BURST, COUNTED, QUIET_S, LogFormat, RateLimit, set_up


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def said(format_: LogFormat, environment: dict[str, str] | None = None) -> str:
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


def test_text_for_people_bears_the_time() -> None:
    assert " WARNING edge.test: door1 is gone\n" in said("auto")


def test_the_journal_gets_priorities_on_every_line_and_no_time() -> None:
    lines = said("auto", {"JOURNAL_STREAM": "8:1"}).splitlines()
    assert lines[0] == "<4>edge.test: door1 is gone"
    assert lines[1] == "<3>edge.test: unforeseen"
    assert len(lines) > 3
    assert all(line.startswith("<3>") for line in lines[1:])


def test_machines_get_one_object_a_line() -> None:
    first, second = (json.loads(line) for line in said("json").splitlines())
    assert (first["level"], first["logger"], first["message"]) == (
        "warning",
        "edge.test",
        "door1 is gone",
    )
    assert first["time"].endswith("Z")
    assert "RuntimeError: boom" in second["traceback"]


def test_what_repeats_is_counted_and_told_once_in_a_while() -> None:
    now_s = [0.0]
    limit = RateLimit(lambda: now_s[0])

    def tell(figure: int) -> str | None:
        record = logging.LogRecord("edge", logging.WARNING, "", 0, "lost %d", (figure,), None)
        return record.getMessage() if limit.filter(record) else None

    told = [tell(n) for n in range(BURST + 7)]
    assert told == [f"lost {n}" for n in range(BURST)] + [None] * 7
    now_s[0] = QUIET_S
    assert tell(99) == "lost 99 (and 7 more like this)"
    assert tell(100) == "lost 100"


def test_other_messages_pass_and_what_is_remembered_is_bounded() -> None:
    limit = RateLimit(lambda: 0.0)
    for n in range(10 * COUNTED):
        record = logging.LogRecord("edge", logging.INFO, "", 0, f"kind {n}", None, None)
        assert limit.filter(record)
    assert len(limit._seen) == COUNTED


def test_events_and_different_reasons_are_each_told() -> None:
    limit = RateLimit(lambda: 0.0)

    def passes(logger: str, text: str, *arguments: object) -> bool:
        return limit.filter(logging.LogRecord(logger, 30, "", 0, text, arguments, None))

    assert all(passes("edge.daemon.event_writer", "%s %s", "no_mask_start", n) for n in range(50))
    assert all(passes("edge.camera.source", "%s", f"reason {n}") for n in range(50))
    assert [passes("edge.camera.source", "%s", "the same") for _ in range(9)].count(True) == BURST
