"""A second place for the highest event number, beside the outbox.

It is a small file of a fixed size that is overwritten in place, which succeeds on a full disk as
well. It is needed when the outbox itself cannot be written, is damaged, or is removed.
"""

from __future__ import annotations

import json
import os
import stat
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.common.paths import make_private
from edge.common.sync_folder import sync_folder
from edge.outbox.tables import MAX_SEQ, DamagedError, PendingEvent, event_of, row_of

#: The suffix of the file's name, after the name of the outbox.
SUFFIX = ".seq"
#: The file has two slots of one disk block each, which are written in turn: a power cut while one
#: is written leaves the other.
SLOT_BYTES = 4096
SLOTS = 2


@dataclass(frozen=True)
class Recorded:
    """The highest number that was assigned, and the alerts that the outbox does not know of.

    `alerts` maps the ID of each alert to its start event, or to None if it has ended.
    """

    seq: int
    alerts: Mapping[str, PendingEvent | None] = field(default_factory=dict)


class SequenceRecord:
    """The file with the highest number. Not thread-safe. No method raises an exception.

    The file is opened for each call, because it may be removed or replaced at any time.
    """

    def __init__(self, outbox_path: Path) -> None:
        """Use the file beside the outbox; nothing is read or created yet."""
        self.path = outbox_path.with_name(outbox_path.name + SUFFIX)
        self._slot = 0

    def read(self) -> Recorded | None:
        """Return what was written last, or None if there is nothing that can be read."""
        slots: dict[int, Recorded] = {}
        with suppress(OSError):
            descriptor = self._open(os.O_RDONLY)
            try:
                for slot in range(SLOTS):
                    content = _decode(os.pread(descriptor, SLOT_BYTES, slot * SLOT_BYTES))
                    if content is not None:
                        slots[slot] = content
            finally:
                os.close(descriptor)
        if not slots:
            return None
        newest = max(slots, key=lambda slot: slots[slot].seq)
        self._slot = (newest + 1) % SLOTS
        return slots[newest]

    def write(self, recorded: Recorded) -> bool:
        """Write `recorded` to the disk; return whether it is there.

        The oldest alerts are left out if there is no room for all of them.
        """
        try:
            descriptor = self._open(os.O_RDWR | os.O_CREAT)
            try:
                self._write(descriptor, recorded)
            finally:
                os.close(descriptor)
        except OSError:
            return False
        self._slot = (self._slot + 1) % SLOTS
        return True

    def _open(self, flags: int) -> int:
        # O_NONBLOCK: to open a FIFO would block until another program opens it as well.
        descriptor = os.open(self.path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(f"{self.path} is not a regular file")
        make_private(self.path)
        return descriptor

    def _write(self, descriptor: int, recorded: Recorded) -> None:
        size = os.fstat(descriptor).st_size
        try:
            if size < SLOTS * SLOT_BYTES:
                os.pwrite(descriptor, b" " * (SLOTS * SLOT_BYTES - size), size)
            os.pwrite(descriptor, _encode(recorded), self._slot * SLOT_BYTES)
            os.fdatasync(descriptor)
        except OSError:
            if size == 0:  # an empty file on a full disk is of no use
                with suppress(OSError):
                    self.path.unlink()
            raise
        if size == 0:
            sync_folder(self.path.parent)


def _encode(recorded: Recorded) -> bytes:
    """Return one slot: a checksum and a line of JSON, padded with spaces."""
    alerts = [[id_, row_of(start) if start else None] for id_, start in recorded.alerts.items()]
    while len(slot := _slot(recorded.seq, alerts)) > SLOT_BYTES:
        del alerts[0]
    return slot.ljust(SLOT_BYTES)


def _slot(seq: int, alerts: list[list[Any]]) -> bytes:
    text = json.dumps({"seq": seq, "alerts": alerts}, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _decode(slot: bytes) -> Recorded | None:
    """Return the content of one slot, or None if it is empty or damaged."""
    checksum, _, text = slot.rstrip().partition(b" ")
    try:
        if int(checksum, 16) != zlib.crc32(text):
            return None
        content = json.loads(text)
        alerts = {id_: event_of(tuple(row)) if row else None for id_, row in content["alerts"]}
        seq = int(content["seq"])
    except (ValueError, TypeError, KeyError, DamagedError):
        return None
    return Recorded(seq, alerts) if 0 <= seq <= MAX_SEQ else None
