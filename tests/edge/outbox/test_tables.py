from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.outbox.tables import MAX_SEQ, DamagedError, PendingEvent, event_of, row_of
from tests.support.clock import START

EVENT = PendingEvent(7, START, {"n": 7, "device": "Tür"})


@given(
    st.integers(1, MAX_SEQ),
    st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers() | st.booleans()),
)
def test_row_restores_the_event(seq: int, payload: dict[str, object]) -> None:
    event = PendingEvent(seq, START, payload)
    assert event_of(row_of(event)) == event


def test_text_may_be_bytes() -> None:
    seq, utc_s, synced, boot, boot_s, text, crc = row_of(EVENT)
    row = (seq, utc_s, synced, boot.encode(), boot_s, text.encode(), crc)
    assert event_of(row) == EVENT


def test_row_of_first_version_has_no_checksum() -> None:
    assert event_of((*row_of(EVENT)[:-1], None)) == EVENT


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (0, 8),
        (0, 0),
        (0, MAX_SEQ + 1),
        (1, "soon"),
        (3, b"\xff"),
        (5, '{"n":8}'),
        (5, "[1]"),
        (5, "{"),
        (5, b"\xff"),
        (6, 1),
    ],
)
def test_changed_row_is_damaged(column: int, value: object) -> None:
    row = list(row_of(EVENT))
    row[column] = value
    with pytest.raises(DamagedError):
        event_of(tuple(row))
