"""The events that the daemon commits, reported to the host over a second serial port."""

from __future__ import annotations

import json
from typing import Any

from tests.pi.device import CONFIG, Listener
from tests.pi.machine import Machine, wait_for

#: A drop-in with which the daemon reports each event as soon as it is committed.
WITNESSED = f"""[Service]
ExecStart=
ExecStart=/opt/mask-patrol/current/bin/mask-patrol run --config {CONFIG} --pace fast \
--events /dev/virtio-ports/witness
ExecStartPre=+/bin/chmod 666 /dev/virtio-ports/witness
DeviceAllow=/dev/virtio-ports/witness rw
"""


def committed(machine: Machine) -> list[dict[str, Any]]:
    """Return the reported events. A power cut may truncate a line, which is skipped."""
    if not machine.witness.exists():
        return []
    found = []
    for line in machine.witness.read_text(errors="replace").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def wait_committed(machine: Machine, more: int, what: str = "new events") -> None:
    """Wait until `more` further events are committed."""
    enough = len(committed(machine)) + more
    wait_for(lambda: len(committed(machine)) >= enough, what)


def identity(event: dict[str, Any]) -> tuple[int, str, str]:
    """Return the fields that identify an event."""
    return event["seq"], event["id"], event["event_type"]


def assert_nothing_lost(machine: Machine, listener: Listener) -> None:
    """All committed events arrive, once each, numbered without a gap."""
    wanted = {identity(event) for event in committed(machine)}
    wait_for(lambda: wanted <= {identity(e) for e in listener.events}, "everything committed", 300)
    arrived = [identity(event) for event in listener.events]
    assert [seq for seq, _, _ in arrived] == list(range(1, len(arrived) + 1))
    assert len({(episode, kind) for _, episode, kind in arrived}) == len(arrived)
