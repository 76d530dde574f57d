"""Joining the other workers of a training, and reporting the loss of one of them."""

from __future__ import annotations

import contextlib
import logging
import re
import signal
from collections.abc import Iterator
from typing import Any

from edge.common.errors import UserError
from training.common.quiet_keras import import_keras, suppress_stderr
from training.workers.meeting import meet
from training.workers.task import Task
from training.workers.workers import ConnectedWorkers, Workers

log = logging.getLogger(__name__)

#: After the meeting, TensorFlow connects within a second. This bounds its wait for a worker that
#: has ended in between.
CONNECT_MS = 60_000
#: The name of a worker in TensorFlow's messages.
TASK_NAME = re.compile(r"/job:(chief|worker)(?:/replica:0)?/task:(\d+)")


@contextlib.contextmanager
def joined_workers(task: Task | None, batch: int, wait_s: float) -> Iterator[Workers]:
    """Connect this process with the other workers of `task`; None means that it trains alone.

    This must come before any operation of TensorFlow. `batch` is the number of rows that the
    workers divide among themselves. Raises as `Task.check_batch` and `meet`, and UserError if the
    connection to another worker is lost inside the context.
    """
    if task is None:
        yield Workers()
        return
    task.check_batch(batch)
    meet(task, wait_s)
    import_keras()
    try:
        workers = ConnectedWorkers(task, _strategy(task))
        log.info("%s", _role(task))
        yield workers
    except _lost_errors() as error:
        raise UserError(lost_message(task, str(error))) from None
    if not task.is_chief:
        log.info("%s: the training has ended; %s writes the model", task, task.name_of(0))


def _lost_errors() -> tuple[type[Exception], ...]:
    """Return the errors of TensorFlow that the loss of a worker causes."""
    from tensorflow import errors

    return (
        errors.UnavailableError,
        errors.AbortedError,
        errors.CancelledError,
        errors.DeadlineExceededError,
        errors.FailedPreconditionError,
        errors.InternalError,
    )


def _strategy(task: Task) -> Any:
    import tensorflow as tf
    from tensorflow.python.distribute.collective_all_reduce_strategy import coordination_config_pb2
    from tensorflow.python.eager import context

    tf.get_logger().setLevel(logging.WARNING)  # otherwise a line for each exchange
    # Each worker has one replica, because its variables are ordinary ones.
    tf.config.set_visible_devices(tf.config.list_physical_devices("GPU")[:1], "GPU")
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    jobs = resolver.cluster_spec().as_dict()
    # As the strategy configures it, but with a limit to the wait.
    context.context().configure_coordination_service(
        "standalone",
        service_leader=f"/job:{'chief' if 'chief' in jobs else 'worker'}/replica:0/task:0",
        cluster_register_timeout_in_ms=CONNECT_MS,
        coordinated_jobs=[
            coordination_config_pb2.CoordinatedJob(name=name, num_tasks=len(addresses))
            for name, addresses in jobs.items()
        ],
    )
    with suppress_stderr():
        strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    # TensorFlow ignores SIGTERM from here on, for machines that announce their end with it.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return strategy


def _role(task: Task) -> str:
    if task.is_chief:
        return f"{task} is the chief: it writes the files of the run"
    return f"{task}: {task.name_of(0)} is the chief; it shows the progress and writes all files"


def lost_message(task: Task, error: str) -> str:
    """Return the message about the loss of a worker, which `error` of TensorFlow may name."""
    count = len(task.addresses)
    others = {
        int(index) + (job == "worker" and task.has_separate_chief)
        for job, index in TASK_NAME.findall(error)
    } & set(range(count)) - {task.index}
    if count == 2:
        others = {1 - task.index}
    names = ", ".join(task.name_of(index) for index in sorted(others))
    return (
        f"{task}: the connection to {names or 'another worker'} was lost, so this worker ends, too:"
        " see what that one printed, and start all workers again: with --resume after a complete"
        " epoch, otherwise without it"
    )
