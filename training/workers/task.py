"""The task of this process in a training on several machines, as `TF_CONFIG` states it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from edge.common.errors import UsageError

#: A value of `TF_CONFIG` for messages and `--help`.
EXAMPLE = (
    '{"cluster": {"worker": ["192.168.1.10:2222", "192.168.1.11:2222"]},'
    ' "task": {"type": "worker", "index": 0}}'
)
#: A host name has labels of up to 63 characters; Python cannot look up any other.
ADDRESS = re.compile(
    r"(?P<host>\[[\w:.%]+\]|[\w-]{1,63}(\.[\w-]{1,63})*\.?):(?P<port>\d{1,5})", re.ASCII
)


@dataclass(frozen=True)
class Task:
    """The addresses HOST:PORT of all workers, the chief's first, and the index of this process.

    `has_separate_chief`: whether `TF_CONFIG` lists the chief apart from the workers.
    """

    addresses: tuple[str, ...]
    index: int
    has_separate_chief: bool = False

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the files of the run."""
        return self.index == 0

    @property
    def port(self) -> int:
        """The port on which this process listens."""
        return host_and_port(self.addresses[self.index])[1]

    def __str__(self) -> str:
        return f"worker {self.index} of {len(self.addresses)}"

    def check_batch(self, batch: int) -> None:
        """Raise UsageError if `batch` rows cannot be divided equally among the workers."""
        count = len(self.addresses)
        if batch % count:
            near = [each for each in (batch - batch % count, batch - batch % count + count) if each]
            raise UsageError(
                f"--batch {batch} cannot be divided equally among the {count} workers of TF_CONFIG:"
                f" give --batch {' or '.join(map(str, near))} on every machine"
            )

    def name_of(self, index: int) -> str:
        """Return the name of another worker for messages, with its address."""
        return f"worker {index} ({self.addresses[index]})"


class _TaskField(msgspec.Struct, frozen=True):
    index: int
    type: str = "worker"


class _TaskConfig(msgspec.Struct, frozen=True):
    """The part of `TF_CONFIG` that is used. Other keys, such as `environment`, are ignored."""

    cluster: dict[str, list[str]]
    task: _TaskField


def task_of_environment(environment: Mapping[str, str] = os.environ) -> Task | None:
    """Return the task in `TF_CONFIG`, or None if the variable is missing or empty.

    Raises UsageError if the variable does not describe workers of one training.
    """
    text = environment.get("TF_CONFIG", "")
    return parse_task(text) if text.strip() else None


def parse_task(text: str) -> Task:
    """Return the task that `text`, a value of `TF_CONFIG`, describes; raises as above.

    A cluster may have one `chief` and further `worker`s, or only `worker`s, of which the first is
    the chief.
    """
    config = _decode(text)
    other = sorted(config.cluster.keys() - {"chief", "worker"})
    if other:
        raise _wrong(
            f"the cluster has tasks of type {', '.join(other)}; only workers are supported"
        )
    chiefs, workers = config.cluster.get("chief", []), config.cluster.get("worker", [])
    if len(chiefs) > 1:
        raise _wrong(f"the cluster has {len(chiefs)} chiefs; it may have one")
    addresses = (*chiefs, *workers)
    _check_addresses(addresses)
    of_type = {"chief": chiefs, "worker": workers}.get(config.task.type, [])
    if not of_type:
        raise _wrong(f"the task is a {config.task.type}, of which the cluster has none")
    if not 0 <= config.task.index < len(of_type):
        raise _wrong(
            f"the index of the task is {config.task.index}, but the {config.task.type}s of the"
            f" cluster have the indices 0 to {len(of_type) - 1}"
        )
    first = len(chiefs) if config.task.type == "worker" else 0
    return Task(addresses, first + config.task.index, bool(chiefs))


def host_and_port(address: str) -> tuple[str, int]:
    """Return the parts of HOST:PORT; raises UsageError if `address` has another form."""
    parts = ADDRESS.fullmatch(address)
    if parts is None or not 0 < int(parts["port"]) < 65536:
        raise _wrong(f"{address[:300]!r} is not HOST:PORT with a port from 1 to 65535")
    return parts["host"].strip("[]"), int(parts["port"])


def _decode(text: str) -> _TaskConfig:
    try:
        parts = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _wrong(f"it is not JSON: {error}") from None
    for part in ("cluster", "task"):
        if not isinstance(parts, dict) or not parts.get(part):
            raise _wrong(f"it has no {part}")
    try:
        return msgspec.convert(parts, _TaskConfig, strict=False)
    except msgspec.ValidationError as error:
        raise _wrong(str(error)) from None


def _check_addresses(addresses: tuple[str, ...]) -> None:
    if not addresses:
        raise _wrong("the cluster has no worker")
    for address in addresses:
        host_and_port(address)
    twice = sorted({address for address in addresses if addresses.count(address) > 1})
    if twice:
        raise _wrong(f"the address {twice[0]} occurs more than once in the cluster")


def _wrong(reason: str) -> UsageError:
    return UsageError(
        f"TF_CONFIG: {reason}; expected {EXAMPLE}, with the same cluster and another index on each"
        " machine; unset TF_CONFIG to train on this machine alone"
    )
