"""Assigns the numbers of events, so that no number is ever assigned twice.

The outbox stores the highest number with each event, and a small file beside it holds that number
as well (`SequenceRecord`). If neither can be written, the numbers come from a range that no count
of events reaches, because after a crash nothing on the disk would tell that they were assigned.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from edge.common.clock import Moment
from edge.common.file_access import access_problem
from edge.outbox.sequence_record import Recorded, SequenceRecord
from edge.outbox.tables import MAX_SEQ, PendingEvent

log = logging.getLogger(__name__)

MICROSECONDS_PER_S = 1_000_000


class Numbering:
    """The highest number that was assigned, and where it is recorded. Not thread-safe."""

    def __init__(self, outbox_path: Path) -> None:
        """Read the record beside the outbox; `last` is 0 until `raise_to` is called."""
        self._record = SequenceRecord(outbox_path)
        self._write_failed = False
        self._in_unused_range = False
        self.last = 0

    def recorded(self) -> Recorded:
        """Return what the record beside the outbox contains; 0 if it cannot be read."""
        return self._record.read() or Recorded(0)

    def raise_to(self, stored: int | None, at: Moment, intact: bool = True) -> int:
        """Return the highest number ever assigned, which `last` is from now on, or more than that.

        `stored` is the highest number that the outbox contains, None if that is lost. It may be
        too low if the outbox is not `intact`. If nothing tells the highest number for certain,
        `last` becomes a number that no count of events reaches.
        """
        recorded = self._record.read()
        certain = self.last or recorded is not None or (intact and stored is not None)
        known = max(stored or 0, self.last, recorded.seq if recorded else 0)
        self.last = known if certain else max(known, unused_number(at))
        return self.last

    def stored(self, seq: int) -> None:
        """Record `seq`, which the outbox has stored as the highest number."""
        self.last = seq
        self._in_unused_range = False
        if self._record.write(Recorded(seq)):
            self._write_failed = False
        elif not self._write_failed:
            self._write_failed = True
            reason = access_problem([self._record.path])
            log.warning(
                "cannot write %s%s; if the outbox is damaged now, event numbers continue with a"
                " much higher one",
                self._record.path,
                f": {reason}" if reason else "",
            )

    def next_in_memory(self, at: Moment, alerts: Mapping[str, PendingEvent | None]) -> int:
        """Return a number for an event that the outbox cannot store.

        `alerts` are recorded with the number; see `Recorded`.
        """
        seq = self.last + 1
        if self._record.write(Recorded(seq, alerts)):
            self._in_unused_range = False
        elif not self._in_unused_range:
            self._in_unused_range = True
            seq = max(seq, unused_number(at))
        self.last = seq
        return seq


def unused_number(at: Moment) -> int:
    """Return the microseconds since 1970, which are above any count of events.

    Two calls in one process or in two return different numbers, also if the clock is wrong: it
    would have to be set back to exactly the same microsecond.
    """
    return int(at.utc_s * MICROSECONDS_PER_S) % (MAX_SEQ // 2)
