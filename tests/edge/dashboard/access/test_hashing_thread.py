"""The thread that hashes passwords."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from edge.dashboard.access.hashing_thread import (
    MAX_WAITING,
    MAX_WAITING_KNOWN,
    HashingThread,
    TooManyAttemptsError,
)
from tests.support.waiting import PATIENCE_S


class Recorder:
    """Jobs that record the order in which they run; the first one runs until `release`."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.threads: set[int] = set()
        self._released = threading.Event()

    def job(self, name: str) -> Callable[[], str]:
        def run() -> str:
            assert self._released.wait(PATIENCE_S)
            self.order.append(name)
            self.threads.add(threading.get_ident())
            return name

        return run

    def release(self) -> None:
        self._released.set()


def test_jobs_run_in_one_thread_and_known_browsers_come_first() -> None:
    async def scenario() -> list[str]:
        jobs = [
            asyncio.ensure_future(hashing.run(name, recorder.job(name), name.startswith("known")))
            for name in ("first", "second", "third", "known")
        ]
        await asyncio.sleep(0)  # every job is in the queue now, and the first may run
        recorder.release()
        return await asyncio.gather(*jobs)

    hashing, recorder = HashingThread(), Recorder()
    assert asyncio.run(scenario()) == ["first", "second", "third", "known"]
    assert len(recorder.threads) == 1
    assert recorder.order.index("known") < 2
    assert [name for name in recorder.order if name != "known"] == ["first", "second", "third"]
    hashing.stop()


def test_number_of_waiting_clients_is_limited() -> None:
    async def scenario() -> None:
        clients = [(f"client {number}", False) for number in range(MAX_WAITING)]
        clients += [(f"browser {number}", True) for number in range(MAX_WAITING_KNOWN)]
        jobs = [
            asyncio.ensure_future(hashing.run(name, recorder.job(name), known))
            for name, known in clients[:-1]
        ]
        await asyncio.sleep(0)
        assert not hashing.has_room("another")
        with pytest.raises(TooManyAttemptsError):
            await hashing.run("another", recorder.job("another"))
        assert hashing.has_room("another", is_known=True)
        assert not hashing.has_room("browser 0", is_known=True)  # it has a job already
        name, known = clients[-1]
        jobs.append(asyncio.ensure_future(hashing.run(name, recorder.job(name), known)))
        await asyncio.sleep(0)
        assert not hashing.has_room("another", is_known=True)
        recorder.release()
        await asyncio.gather(*jobs)
        assert hashing.has_room("another")
        assert hashing.has_room("client 0")

    hashing, recorder = HashingThread(), Recorder()
    asyncio.run(scenario())
    assert "another" not in recorder.order
    hashing.stop()


def test_errors_reach_the_caller_and_cancelled_jobs_do_not_run() -> None:
    def fail() -> None:
        raise ValueError("no")

    async def scenario() -> None:
        with pytest.raises(ValueError, match="no"):
            await hashing.run("client", fail)
        first = asyncio.ensure_future(hashing.run("first", recorder.job("first")))
        second = asyncio.ensure_future(hashing.run("second", recorder.job("second")))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        assert hashing.has_room("second")
        recorder.release()
        await first
        assert await hashing.run("third", recorder.job("third")) == "third"

    hashing, recorder = HashingThread(), Recorder()
    asyncio.run(scenario())
    assert recorder.order == ["first", "third"]
    hashing.stop()
    HashingThread().stop()  # a thread that was never started
