"""The meeting of the workers at the start, in which each waits for all others for a limited time.

TensorFlow would wait for an hour without a message, and Ctrl-C would not end it. Therefore each
worker first announces itself to the chief, at the port that TensorFlow uses afterwards, and the
chief answers when all of them have come.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import socket
import time
from collections.abc import Collection, Iterator
from typing import TypeVar

import msgspec

from edge.common.errors import UsageError, UserError
from training.workers.task import Task, host_and_port

log = logging.getLogger(__name__)

#: Waits between two attempts to reach the chief, and for one message of a peer that is connected.
RETRY_S, MESSAGE_S = 0.2, 5.0
MAX_MESSAGE_BYTES = 4096


Message = TypeVar("Message", bound=msgspec.Struct)


class Announcement(msgspec.Struct, frozen=True):
    """What a worker sends to the chief: its index, and a digest of the addresses in `TF_CONFIG`."""

    index: int
    cluster: str


class Answer(msgspec.Struct, frozen=True):
    """The chief's answer; `refused` is the reason why the worker cannot take part, or empty."""

    refused: str = ""


def meet(task: Task, wait_s: float) -> None:
    """Return when every worker of `task` is there; the port of this process is free then.

    Raises UsageError if the port of this process is in use or if the workers have different
    clusters or the same index, and UserError if a worker has not come after `wait_s` seconds.
    """
    with _listen(task) as server:
        if task.is_chief:
            _await_workers(task, server, time.monotonic() + wait_s, wait_s)
    if not task.is_chief:
        _announce(task, time.monotonic() + wait_s, wait_s)


def _listen(task: Task) -> socket.socket:
    try:
        return socket.create_server(("", task.port))
    except OSError as error:
        raise UsageError(
            f"{task}: cannot listen on port {task.port} of TF_CONFIG ({error.strerror}): end the"
            " program that uses the port, or give another port in TF_CONFIG on every machine"
        ) from None


def _await_workers(task: Task, server: socket.socket, deadline_s: float, wait_s: float) -> None:
    """Answer to all workers when the last one has come."""
    came: dict[int, socket.socket] = {}
    with contextlib.ExitStack() as stack:
        while missing := set(range(1, len(task.addresses))) - came.keys():
            log.info("%s waits for %s", task, _names(task, missing))
            connection = _accept(server, deadline_s)
            if connection is None:
                raise UserError(_never_came(task, missing, wait_s))
            stack.enter_context(connection)
            announced = _receive(connection, Announcement)
            if announced is None:
                continue  # not a worker
            came = {index: each for index, each in came.items() if not _has_gone(each)}
            reason = _reason_to_refuse(task, announced, came)
            if reason:
                log.warning("%s refused a worker: %s", task, reason)
                _send(connection, Answer(reason))
            else:
                came[announced.index] = connection
        for connection in came.values():
            _send(connection, Answer())


def _has_gone(connection: socket.socket) -> bool:
    """Return whether the peer, which sends nothing more, has closed the connection."""
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(MESSAGE_S)


def _reason_to_refuse(task: Task, announced: Announcement, came: Collection[int]) -> str:
    if announced.cluster != _digest(task):
        return "its TF_CONFIG has another cluster than that of the chief: use the same on both"
    if announced.index in came or not 0 < announced.index < len(task.addresses):
        return (
            f"there is another worker with index {announced.index}: give each machine its own index"
            " in TF_CONFIG"
        )
    return ""


def _announce(task: Task, deadline_s: float, wait_s: float) -> None:
    """Announce this worker to the chief until it answers."""
    log.info("%s waits for %s", task, task.name_of(0))
    for remaining_s in _remaining(deadline_s):
        with contextlib.suppress(OSError):
            address = host_and_port(task.addresses[0])
            with socket.create_connection(address, timeout=min(MESSAGE_S, remaining_s)) as chief:
                _send(chief, Announcement(task.index, _digest(task)))
                chief.settimeout(remaining_s)
                answer = _receive(chief, Answer)
            if answer is not None and answer.refused:
                raise UsageError(f"{task}: {task.name_of(0)} refused this worker: {answer.refused}")
            if answer is not None:
                return
    raise UserError(_never_came(task, {0}, wait_s))


def _remaining(deadline_s: float) -> Iterator[float]:
    """Yield the seconds until the deadline, with a pause before each but the first."""
    while (remaining_s := deadline_s - time.monotonic()) > 0:
        yield remaining_s
        time.sleep(min(RETRY_S, remaining_s))


def _accept(server: socket.socket, deadline_s: float) -> socket.socket | None:
    """Return the next connection, or None if there is none before the deadline."""
    server.settimeout(max(0.01, deadline_s - time.monotonic()))
    try:
        connection, _ = server.accept()
    except TimeoutError:
        return None
    connection.settimeout(MESSAGE_S)
    return connection


def _send(connection: socket.socket, message: msgspec.Struct) -> None:
    with contextlib.suppress(OSError):  # a peer that has gone is missed later
        connection.sendall(msgspec.json.encode(message) + b"\n")


def _receive(connection: socket.socket, kind: type[Message]) -> Message | None:
    """Return the message that the peer sends as a line, or None if it sends another text."""
    try:
        with connection.makefile("rb") as lines:
            return msgspec.json.decode(lines.readline(MAX_MESSAGE_BYTES), type=kind)
    except (OSError, msgspec.MsgspecError, UnicodeError):
        return None


def _never_came(task: Task, missing: set[int], wait_s: float) -> str:
    return (
        f"{task}: {_names(task, missing)} did not come within {wait_s:g} s: start the same command"
        " on every machine of TF_CONFIG, check its addresses and the firewall, or wait longer with"
        " --worker-wait"
    )


def _names(task: Task, indices: set[int]) -> str:
    return ", ".join(task.name_of(index) for index in sorted(indices))


def _digest(task: Task) -> str:
    return hashlib.sha256("\n".join(task.addresses).encode()).hexdigest()
