"""Gaps in the sequence numbers of a device: they show that events were lost.

A device numbers its events 1, 2, 3 and so on without end, so a number that never arrives is a lost
event. Events may arrive late and out of order, because the broker can divide them among
several dashboards.
"""

from __future__ import annotations

from dataclasses import dataclass, field

#: If a device has more gaps than this, the oldest are not listed any more, but still counted.
MAX_GAPS = 500
#: The highest count: a device that sends invented numbers must not cause an overflow in the
#: database.
MAX_LOST = 2**53
#: Events can arrive out of order by at most this many numbers. If number 1 arrives although the
#: first number seen is higher than this, the device has restarted its numbering.
MAX_REORDERING = 100
#: The highest number of events that an outbox can hold (`outbox.max_events`). If a number differs
#: by more from those before it, the events between them do not exist: the device could not record
#: its numbers and continued with one that is certainly unused.
MAX_JUMP = 10_000_000


@dataclass
class SequenceGaps:
    """The numbers of one device: all from `first` to `last` have arrived, except those in `gaps`.

    `gaps` maps the first number of each gap to its last number and to when the gap was noticed, in
    seconds since the epoch. `forgotten` counts the missing numbers of gaps that are not listed.
    """

    first: int | None = None
    last: int | None = None
    gaps: dict[int, tuple[int, float]] = field(default_factory=dict)
    forgotten: int = 0

    @property
    def lost(self) -> int:
        """How many numbers are missing."""
        listed = sum(last - first + 1 for first, (last, _) in self.gaps.items())
        return min(MAX_LOST, self.forgotten + listed)

    def add(self, seq: int, now_s: float, is_old: bool = False) -> None:
        """Record the number of a new event.

        `is_old`: the event is older than what the database keeps, so it may be a duplicate.
        """
        if self.first is None or self.last is None:
            self.first = self.last = seq
        elif seq - self.last > MAX_JUMP or (self.first - seq > MAX_JUMP and not is_old):
            self._restart(seq)
        elif seq > self.last:
            if seq > self.last + 1:
                self.gaps[self.last + 1] = (seq - 1, now_s)
                self._limit_gaps()
            self.last = seq
        elif seq >= self.first:
            self._fill(seq, is_old)
        elif seq == 1 and self.first > MAX_REORDERING and not is_old:
            self._restart(seq)
        # Numbers below `first` are ignored: these events are older than the first that arrived.

    def _fill(self, seq: int, is_old: bool) -> None:
        for first, (last, noticed_s) in self.gaps.items():
            if first <= seq <= last:
                del self.gaps[first]
                if first < seq:
                    self.gaps[first] = (seq - 1, noticed_s)
                if seq < last:
                    self.gaps[seq + 1] = (last, noticed_s)
                return
        # Another event has had this number: the device has lost its outbox and has restarted its
        # numbering. This does not hold for an old event: its duplicate may have been deleted.
        if not is_old:
            self._restart(seq)

    def _restart(self, seq: int) -> None:
        """Restart at `seq`; the numbers that are missing so far stay counted."""
        self.forgotten = self.lost
        self.gaps.clear()
        self.first = self.last = seq

    def _limit_gaps(self) -> None:
        while len(self.gaps) > MAX_GAPS:
            first = min(self.gaps)
            last, _ = self.gaps.pop(first)
            self.forgotten = min(MAX_LOST, self.forgotten + last - first + 1)
