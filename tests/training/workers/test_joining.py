"""The message about a lost worker, whose name TensorFlow's errors do not always contain."""

from __future__ import annotations

from training.workers.joining import lost_message
from training.workers.task import Task

THREE = ("a:1", "b:1", "c:1")
TIMEOUT = "Failed to send RPC to coordination service"


def test_lost_worker_is_named_as_far_as_it_is_known() -> None:
    assert "to worker 0 (a:1) was lost" in lost_message(Task(THREE[:2], 1), TIMEOUT)
    assert "to another worker was lost" in lost_message(Task(THREE, 1), TIMEOUT)
    error = "reported from /job:worker/task:0: unhealthy: /job:worker/replica:0/task:2"
    assert "to worker 2 (c:1) was lost" in lost_message(Task(THREE, 0), error)


def test_advice_fits_a_run_without_a_checkpoint() -> None:
    message = lost_message(Task(THREE, 1), TIMEOUT)
    assert "with --resume after a complete epoch, otherwise without it" in message


def test_separate_chief_is_counted_before_the_workers() -> None:
    task = Task(THREE, 0, has_separate_chief=True)
    assert "to worker 2 (c:1) was lost" in lost_message(
        task, "/job:worker/replica:0/task:1 is down"
    )
    task = Task(THREE, 1, has_separate_chief=True)
    assert "to worker 0 (a:1) was lost" in lost_message(task, "/job:chief/replica:0/task:0 is down")
