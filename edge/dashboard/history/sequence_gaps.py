"""Which numbers of a device have come, and which are missing: lost events.

A device numbers its events 1, 2, 3 … for ever, so a number that never comes is a loss.
They may come late and out of order, as several dashboards share them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

#: Beyond so many gaps of one device, the oldest are forgotten (and stay counted).
MAX_GAPS = 500
#: Counts end here: devices that lie must not reach numbers that a database cannot hold.
MAX_LOST = 2**53
#: What is on its way at a time may come in any order: a first number this much below the first
#: that we saw is of a device that begins anew.
SHUFFLED = 100


@dataclass
class SequenceGaps:
    """The numbers of one device: all from `first` to `last` but those in `gaps` have come.

    `gaps` maps the first missing number of each gap to its last and when it was noticed
    (seconds since the epoch); `forgotten` counts those of gaps that are not listed any more.
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

    def see(self, seq: int, now_s: float, is_old: bool = False) -> None:
        """Take note of the number of an event that was not there before; `is_old`: or was so
        long ago that it would not be known any more."""
        if self.first is None or self.last is None:
            self.first = self.last = seq
        elif seq > self.last:
            if seq > self.last + 1:
                self.gaps[self.last + 1] = (seq - 1, now_s)
                self._bound()
            self.last = seq
        elif seq >= self.first:
            self._fill(seq, is_old)
        elif seq == 1 and self.first > SHUFFLED and not is_old:
            self._begin_anew(seq)
        # What is older than the first that we saw was none of our business.

    def see_all(self, seqs: Iterable[int], now_s: float) -> None:
        """The same for several."""
        for seq in seqs:
            self.see(seq, now_s)

    def _fill(self, seq: int, is_old: bool) -> None:
        for first, (last, noticed_s) in self.gaps.items():
            if first <= seq <= last:
                del self.gaps[first]
                if first < seq:
                    self.gaps[first] = (seq - 1, noticed_s)
                if seq < last:
                    self.gaps[seq + 1] = (last, noticed_s)
                return
        # A number that we have had, with another event: the device has lost its outbox and
        # begins anew; or one from before what is kept, which says nothing.
        if not is_old:
            self._begin_anew(seq)

    def _begin_anew(self, seq: int) -> None:
        """What was missing before stays missing."""
        self.forgotten = self.lost
        self.gaps.clear()
        self.first = self.last = seq

    def _bound(self) -> None:
        while len(self.gaps) > MAX_GAPS:
            first = min(self.gaps)
            last, _ = self.gaps.pop(first)
            self.forgotten = min(MAX_LOST, self.forgotten + last - first + 1)
