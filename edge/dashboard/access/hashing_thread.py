"""The thread that hashes passwords: one at a time, for a bounded number of waiting clients."""

from __future__ import annotations

import asyncio
import itertools
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

Result = TypeVar("Result")

#: How many clients may wait, and how many known browsers may wait in addition. Each of them waits
#: for at most one hash, which takes up to a second on a Raspberry Pi.
MAX_WAITING, MAX_WAITING_KNOWN = 32, 16
#: When a client that found no room may try again.
BUSY_WAIT_S = 2.0
#: How long `stop` waits for the present hash.
STOP_TIMEOUT_S = 5.0


class TooManyAttemptsError(Exception):
    """The client must wait for `wait_s` seconds before its next attempt."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(wait_s)
        self.wait_s = wait_s


@dataclass(order=True)
class _Job:
    """A function to run; jobs of known browsers come first, then the oldest."""

    rank: int
    number: int
    function: Callable[[], Any] = field(compare=False)
    result: Future[Any] = field(compare=False)


class HashingThread:
    """Runs functions that hash a password, in one thread of its own.

    A hash needs 19 MB, and the C library keeps that memory for each thread that has ever hashed.
    Therefore neither many threads nor many jobs at a time may hash. The thread starts with the
    first job. Apart from `stop`, call the methods only in the thread of the event loop.
    """

    def __init__(self) -> None:
        """Prepare the thread."""
        self._jobs: queue.PriorityQueue[_Job] = queue.PriorityQueue()
        self._numbers = itertools.count()
        #: The clients whose jobs wait or run, and whether they are known browsers.
        self._clients: dict[str, bool] = {}
        self._thread = threading.Thread(target=self._work, name="hashing", daemon=True)

    def has_room(self, client: str, is_known: bool = False) -> bool:
        """Return whether `run` accepts a job of `client`, which may have one job at a time."""
        limit = MAX_WAITING_KNOWN if is_known else MAX_WAITING
        waiting = sum(known == is_known for known in self._clients.values())
        return client not in self._clients and waiting < limit

    async def run(
        self, client: str, function: Callable[[], Result], is_known: bool = False
    ) -> Result:
        """Run `function` in the thread and return its result, or raise its exception.

        Raises TooManyAttemptsError if `has_room` returns False.
        """
        if not self.has_room(client, is_known):
            raise TooManyAttemptsError(BUSY_WAIT_S)
        if self._thread.ident is None:
            self._thread.start()
        job = _Job(0 if is_known else 1, next(self._numbers), function, Future())
        self._clients[client] = is_known
        try:
            self._jobs.put(job)
            result: Result = await asyncio.wrap_future(job.result)
            return result
        finally:
            del self._clients[client]

    def stop(self) -> None:
        """End the thread after the present job; waiting jobs are not run."""
        if self._thread.is_alive():
            self._jobs.put(_Job(-1, -1, _end_thread, Future()))
            self._thread.join(STOP_TIMEOUT_S)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job.function is _end_thread:
                return
            if not job.result.set_running_or_notify_cancel():
                continue
            try:
                job.result.set_result(job.function())
            except BaseException as error:
                job.result.set_exception(error)


def _end_thread() -> None:
    """Mark the job that ends the thread."""
