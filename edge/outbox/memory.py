"""What the outbox keeps in memory while its file cannot be written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from edge.outbox.recovery import Salvage
from edge.outbox.tables import PendingEvent


class Memory:
    """Events and alerts that have yet to be written to the file. Not thread-safe."""

    def __init__(self, max_events: int) -> None:
        """If there are more than `max_events` events in memory only, the oldest are dropped."""
        self._max_events = max_events
        self.clear()

    def clear(self) -> None:
        """Forget everything, as it is in the file now."""
        #: Events that are in memory only.
        self.events: dict[int, PendingEvent] = {}
        #: Copies of events on a disk that cannot be written.
        self.copies: dict[int, PendingEvent] = {}
        #: How many events on that disk were not copied, because there are too many.
        self.not_copied = 0
        #: Events that were acknowledged and have yet to be deleted from the disk.
        self.removed: set[int] = set()
        #: Alerts: the start event, or None for an end whose start is on the disk.
        self.alerts: dict[str, PendingEvent | None] = {}
        #: Number of lost events that is not yet stored in the file.
        self.dropped = 0
        #: Whether `events` and `alerts` include everything in the file that was open before.
        self.complete = False
        self._running_copies: dict[str, PendingEvent] = {}
        self._max = self._max_events

    def add(self, event: PendingEvent) -> None:
        """Keep `event`."""
        self.events[event.seq] = event
        while len(self.events) > self._max:
            del self.events[min(self.events)]
            self.dropped += 1

    def note_alert(self, event: PendingEvent) -> None:
        """Remember whether `event` starts or ends an alert."""
        id_ = str(event.payload.get("id"))
        if event.payload.get("event_type") == "no_mask_start":
            self.alerts[id_] = event
        elif event.payload.get("event_type") == "no_mask_end":
            if id_ in self.alerts:
                del self.alerts[id_]
            else:
                self.alerts[id_] = None

    def remove(self, seq: int) -> None:
        """Forget an event that the broker has acknowledged."""
        if self.events.pop(seq, None) is None:
            self.copies.pop(seq, None)
            self.removed.add(seq)

    def waiting(self) -> Mapping[int, PendingEvent]:
        """Return the events that can be delivered now, by their number."""
        # Events in memory are newer, so they wait until all events on the disk were copied.
        return self.copies if self.not_copied else {**self.copies, **self.events}

    def depth(self) -> int:
        """Return how many events wait."""
        return len(self.copies.keys() | self.events.keys()) + self.not_copied

    def all_alerts(self) -> dict[str, PendingEvent | None]:
        """Return `alerts` and those that run according to the disk that cannot be written."""
        return {**self._running_copies, **self.alerts}

    def copy(self, saved: Salvage) -> None:
        """Keep copies of what was read of a disk that cannot be written."""
        self.copies = {event.seq: event for event in saved.events}
        self.not_copied = saved.beyond_limit
        self._running_copies = _by_id(saved.running)

    def take_over(self, saved: Salvage) -> None:
        """Keep everything that was read from a file that is not in its place any more."""
        self.events.update({event.seq: event for event in saved.events})
        self._max = max(self._max, len(self.events))
        self.alerts = {**_by_id(saved.running)}
        self.dropped += saved.damaged
        self.complete = saved.complete


def _by_id(starts: Iterable[PendingEvent]) -> dict[str, PendingEvent]:
    return {str(start.payload.get("id")): start for start in starts}
