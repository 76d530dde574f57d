"""From the broker to the database and the board: events in batches, everything else at once."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable

import sqlalchemy as sa

from edge.dashboard.base.device_slots import MAX_SLOTS
from edge.dashboard.base.messages import EventMessage
from edge.dashboard.base.token_bucket import TokenBuckets
from edge.dashboard.history.queries import HistoryQueries
from edge.dashboard.history.store import HistoryStore
from edge.dashboard.ingest.subscriber import ReceivedMessage
from edge.dashboard.ingest.validation import MessageValidator
from edge.dashboard.live.device_state import DeviceState
from edge.dashboard.live.live_state import MAX_ALERTS, LiveState

log = logging.getLogger(__name__)

MAX_IN_BATCH = 500
#: Beyond this, events that need no acknowledgement are dropped: memory has an end.
MAX_WAITING = 20_000
#: After a small batch the next may gather for so long: it spares the disk.
GATHER_S, SMALL_BATCH = 0.05, 20
RETRY_S = 1.0
CHORES_EVERY_S = 1.0
#: Figures are kept once a minute for each device, and not more than one row a second in all.
FIGURES_EVERY_S = 60.0
SEEN_EVERY_S = 30.0
#: How far back changes of other dashboards are looked for: their clocks may differ.
OVERLAP_S = 15.0

#: How long it is said that new names had to take others' places.
CROWDED_S = 600.0
CROWD = (
    f"More than {MAX_SLOTS} device names are in use, so new names replace each other in the list."
    " If not all of them are yours, somebody publishes invented names: configure the broker so that"
    " each device can only write below its own name."
)

Item = tuple[EventMessage, Callable[[], None]]


class Ingest:
    """Takes what the subscriber receives; its thread is the only one that writes events."""

    def __init__(
        self,
        intake: MessageValidator,
        store: HistoryStore,
        history: HistoryQueries,
        board: LiveState,
        shared_as: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`shared_as`: our name among the dashboards that write to the same database, if others
        may; `clock` gives seconds since the epoch."""
        self._intake = intake
        self._store = store
        self._history = history
        self._board = board
        self._shared_as = shared_as
        self._clock = clock
        self._waiting: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._news: list[tuple[str, str]] = []
        self._news_pace: TokenBuckets[str] = TokenBuckets(20, 0.05)
        self._figures_kept_s: dict[str, float] = {}
        self._seen_kept_s = 0.0
        #: Held while it is decided who is listed: who is on the board has a place, and no other.
        self._listing = threading.Lock()
        self._retired: set[str] = set()
        self._back: set[str] = set()
        self._crowded_until = 0.0
        self._chores_done_s = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)
        self.written = 0

    def start(self) -> None:
        """Show what the database holds, and begin to write; raises SQLAlchemyError."""
        self._board.update_alerts(self._history.newest_alerts(MAX_ALERTS))
        self._retired = self._history.retired_devices()
        seen_s, now_s = dict(self._history.listed_devices()), self._clock()
        silent_s = {n: max(0.0, now_s - at_s) if at_s else 0.0 for n, at_s in seen_s.items()}
        for name in self._intake.know(silent_s):
            self._board.add_known_device(name, seen_s[name], now_s)
        self._board.update_lost(self._history.lost_events(), now_s)
        self._thread.start()

    def stop(self) -> None:
        """Write what has come, and end."""
        self._stopped.set()
        self._waiting.put(None)
        if self._thread.is_alive():
            self._thread.join(10.0)

    @property
    def others_are_there(self) -> bool:
        """Whether another dashboard takes over what we would get."""
        try:
            since_s = self._clock() - OVERLAP_S
            return bool(
                self._shared_as and self._store.count_other_dashboards(self._shared_as, since_s)
            )
        except sa.exc.SQLAlchemyError:
            return False

    def forget(self, *devices: str) -> None:
        """List these devices (one at least) no more, until they speak again; raises
        SQLAlchemyError. From any thread."""
        self._store.retire_devices(devices, self._clock())
        with self._listing:
            self._retired.update(devices)
            self._back.difference_update(devices)
            for device in devices:
                self._intake.forget(device)
            self._board.remove_devices(devices)

    def take(self, received: ReceivedMessage | None) -> None:
        """Called with each message, from the network's thread."""
        if received is None:
            self._intake.refuse_topic()
            return
        with self._listing:
            event = self._list(received)
        if event is None:
            received.done()
        elif received.qos or self._waiting.qsize() < MAX_WAITING:
            self._waiting.put((event, received.done))

    def _list(self, received: ReceivedMessage) -> EventMessage | None:
        """The event, if it is one. Who sends it is on the board now: when it is written, its place
        may be another's."""
        now_s = self._clock()
        message = self._intake.take(
            received.topic, received.payload, received.retained, now_s, self._retired
        )
        if gone := self._intake.gone():
            self._board.remove_devices(gone)
            self._crowded_until = time.monotonic() + CROWDED_S
        if message is None:
            return None
        if message.device in self._retired:  # it speaks, and so is listed again
            self._back.add(message.device)
            self._retired.discard(message.device)
        if isinstance(message.body, EventMessage):
            self._board.mark_seen(message.device, now_s)
            return message.body
        for news in self._board.apply_message(message):
            self._note(message.device, news)
        return None

    def _note(self, device: str, text: str) -> None:
        if len(self._news) < MAX_IN_BATCH and self._news_pace.take(device, time.monotonic()):
            self._news.append((device, text))

    def _run(self) -> None:
        try:
            self._work()
        finally:
            if not self._stopped.is_set():
                self._board.set_storage_error("alerts are no longer stored: restart the dashboard")

    def _work(self) -> None:
        while not self._stopped.is_set() or not self._waiting.empty():
            batch = self._next_batch()
            if batch:
                self._keep(batch)
                if len(batch) < SMALL_BATCH:
                    self._stopped.wait(GATHER_S)
            if self._clock() - self._chores_done_s >= CHORES_EVERY_S:
                self._chores_done_s = self._clock()
                try:
                    self._chores()
                    self._board.set_storage_error("")
                except sa.exc.SQLAlchemyError as error:
                    self._cannot_write(error)
                except Exception:  # the figures are worth less than the alerts
                    log.exception("the dashboard's chores failed")

    def _next_batch(self) -> list[Item]:
        batch: list[Item] = []
        try:
            item = self._waiting.get(timeout=CHORES_EVERY_S / 2)
            while item is not None:
                batch.append(item)
                if len(batch) >= MAX_IN_BATCH:
                    break
                item = self._waiting.get_nowait()
        except queue.Empty:
            pass
        return batch

    def _keep(self, batch: list[Item]) -> None:
        events = [event for event, _ in batch]
        while True:
            try:
                written = self._store.write_events(events, self._clock())
                break
            except Exception as error:
                if not _will_pass(error):
                    self._keep_the_others(batch, error)
                    return
                self._cannot_write(error)
                if self._stopped.wait(RETRY_S):
                    return  # not acknowledged: the broker will send them again
        for _, done in batch:
            done()
        self.written += written.new
        self._board.update_alerts(written.alerts)
        now_s = self._clock()
        for device in self._board.update_lost(written.lost, now_s):
            self._note(device, f"{written.lost[device]} events are missing so far")

    def _keep_the_others(self, batch: list[Item], error: Exception) -> None:
        """One event of the batch is what the database does not take: all but that."""
        if len(batch) > 1:
            half = len(batch) // 2
            self._keep(batch[:half])
            self._keep(batch[half:])
            return
        ((event, done),) = batch
        self._intake.refuse_event(event, error)
        done()  # else it would come again and again

    def _cannot_write(self, error: Exception) -> None:
        cause = str(getattr(error, "orig", None) or type(error).__name__).strip().splitlines()
        why = f"alerts cannot be stored: {cause[0] if cause else 'the database fails'}"
        log.error("%s", why)
        self._board.set_storage_error(why)

    def _chores(self) -> None:
        now_s = self._clock()
        for name, why in self._board.refresh_devices(now_s):
            self._note(name, why)
        self._board.set_refused(self._intake.refused)
        self._board.set_device_limit_warning(
            CROWD if time.monotonic() < self._crowded_until else ""
        )
        self._keep_retired(now_s)
        if self._shared_as:
            self._store.update_heartbeat(self._shared_as, now_s)
            since_s = now_s - OVERLAP_S
            self._board.update_alerts(self._history.alerts_updated_since(since_s, MAX_ALERTS))
            self._board.update_lost(self._history.lost_events(), now_s)
        news, self._news = self._news, []
        self._store.add_troubles(
            [{"device": device, "at_s": now_s, "text": text[:700]} for device, text in news]
        )
        devices = self._board.devices()
        self._store.add_figures(self._due_figures(devices, now_s))
        if now_s - self._seen_kept_s >= SEEN_EVERY_S:
            self._seen_kept_s = now_s
            self._news_pace.remove_full(time.monotonic())
            names = {device.name for device in devices}
            self._figures_kept_s = {n: s for n, s in self._figures_kept_s.items() if n in names}
            self._store.update_last_seen(
                {d.name: d.seen_s for d in devices if d.seen_s is not None}
            )

    def _keep_retired(self, now_s: float) -> None:
        back = sorted(self._back)
        self._store.restore_devices(back, now_s)
        self._back.difference_update(back)
        if self._shared_as:  # another dashboard may have been told
            retired = self._history.retired_devices()
            with self._listing:
                news = sorted(retired - self._retired - self._back)
                self._retired = retired - self._back
                for name in news:
                    self._intake.forget(name)
                self._board.remove_devices(news)

    def _due_figures(self, devices: list[DeviceState], now_s: float) -> list[dict[str, object]]:
        every_s = max(FIGURES_EVERY_S, float(len(devices)))
        rows: list[dict[str, object]] = []
        for device in devices:
            kept_s = self._figures_kept_s.get(device.name, 0.0)
            if device.reported_s is not None and device.reported_s >= kept_s + every_s:
                self._figures_kept_s[device.name] = device.reported_s
                rows.append(device.figures_row())
        return rows


def _will_pass(error: Exception) -> bool:
    """Whether the database fails, and not what it was given."""
    data = isinstance(error, sa.exc.DataError | sa.exc.IntegrityError)
    return isinstance(error, sa.exc.SQLAlchemyError | OSError | MemoryError) and not data
