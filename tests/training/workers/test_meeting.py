"""The meeting of workers at the start of a training, with real connections."""

from __future__ import annotations

import json
import socket
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from edge.common.errors import UsageError, UserError
from tests.support.ports import accepts, free_port
from tests.support.training import datasets
from tests.support.waiting import wait_until
from training.cli import main
from training.workers.meeting import meet
from training.workers.task import Task

WAIT_S = 20.0


def tasks(count: int) -> list[Task]:
    """Return the tasks of a cluster on this machine."""
    addresses = tuple(f"127.0.0.1:{free_port()}" for _ in range(count))
    return [Task(addresses, index) for index in range(count)]


def start(pool: ThreadPoolExecutor, task: Task, wait_s: float = WAIT_S) -> Future[None]:
    """Let a worker meet the others; return when a chief listens."""
    future = pool.submit(meet, task, wait_s)
    if task.is_chief:
        wait_until(lambda: accepts(task.port) or future.done(), "the chief listens")
    return future


def test_workers_meet_in_any_order_and_leave_their_ports_free() -> None:
    cluster = tasks(3)
    with ThreadPoolExecutor() as pool:
        for future in [start(pool, cluster[index]) for index in (2, 0, 1)]:
            future.result()
    for task in cluster:
        socket.create_server(("", task.port)).close()


@pytest.mark.parametrize(("index", "missing"), [(0, 1), (1, 0)])
def test_worker_that_never_comes_is_named(index: int, missing: int) -> None:
    cluster = tasks(2)
    with pytest.raises(UserError) as caught:
        meet(cluster[index], 0.3)
    message = str(caught.value)
    assert f"worker {missing} ({cluster[0].addresses[missing]}) did not come within 0.3" in message
    assert "--worker-wait" in message
    assert "\n" not in message


@pytest.mark.parametrize("index", [0, 1])
def test_port_in_use_is_named(index: int) -> None:
    task = tasks(2)[index]
    with (
        socket.create_server(("127.0.0.1", task.port)),
        pytest.raises(UsageError, match=f"cannot listen on port {task.port}"),
    ):
        meet(task, WAIT_S)


def test_worker_with_other_cluster_is_refused() -> None:
    chief, worker = tasks(2)
    stranger = Task((worker.addresses[0], f"127.0.0.1:{free_port()}"), 1)
    with ThreadPoolExecutor() as pool:
        waiting = start(pool, chief)
        with pytest.raises(UsageError, match="another cluster"):
            meet(stranger, WAIT_S)
        meet(worker, WAIT_S)
        waiting.result()


def test_second_worker_with_same_index_is_refused() -> None:
    chief, first, second = tasks(3)
    with ThreadPoolExecutor() as pool:
        waiting = start(pool, chief)
        same = [pool.submit(meet, first, WAIT_S) for _ in range(2)]
        refused, _ = wait(same, return_when=FIRST_COMPLETED)  # whichever comes second
        error = str(refused.pop().exception())
        assert "another worker with index 1" in error or "cannot listen" in error
        meet(second, WAIT_S)
        waiting.result()
    assert sum(future.exception() is None for future in same) == 1


def test_strangers_at_the_chiefs_port_are_ignored() -> None:
    chief, worker = tasks(2)
    with ThreadPoolExecutor() as pool:
        waiting = start(pool, chief)
        for text in (b"GET / HTTP/1.1\r\n\r\n", b"\xff\n", b"[" * 5000, b""):
            with socket.create_connection(("127.0.0.1", chief.port)) as stranger:
                stranger.sendall(text)
        meet(worker, WAIT_S)
        waiting.result()


def test_restarted_worker_takes_its_place() -> None:
    chief, first, second = tasks(3)
    with ThreadPoolExecutor() as pool:
        waiting = start(pool, chief)
        with pytest.raises(UserError, match="did not come"):
            meet(first, 0.5)  # ends while the chief waits for the other worker
        again = start(pool, first)
        meet(second, WAIT_S)
        again.result()
        waiting.result()


@pytest.mark.parametrize("command", ["train", "detector"])
def test_command_ends_with_one_line_without_the_other_worker(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    chief, other = tasks(2)
    cluster = {"cluster": {"worker": chief.addresses}, "task": {"type": "worker", "index": 1}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    datasets.kaggle(tmp_path / "tiny", 1)
    run = ("--run-folder", str(tmp_path / "run"), "--worker-wait", "0.3")
    assert main([command, "--data", str(tmp_path / "tiny"), *run]) == 1
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith(f"worker 1 of 2: worker 0 ({other.addresses[0]}) did not come")
    assert not (tmp_path / "run").exists()
