"""The daemon's status, for people at the device: a file in memory, and the LED.

The file is in systemd's RuntimeDirectory, which is not on the SD card: it is rewritten every few
seconds, and deleted when the daemon stops. `mask-patrol status` reads it.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from edge.common.clock import iso_utc, now
from edge.common.paths import STATUS_INTERVAL_S, STATUS_NAME
from edge.health.led import Blinker, Led, pattern_for

log = logging.getLogger(__name__)

#: Longest wait for the thread to end. It may hang on a disk that does not respond.
STOP_TIMEOUT_S = 0.5


@contextmanager
def status_outputs(
    folder: Path | None,
    led: Led | None,
    status: Callable[[], dict[str, Any]],
    idle_s: Callable[[], float],
) -> Iterator[None]:
    """Show `status` inside the context: in a file in `folder` and on `led`, unless they are None.

    `idle_s` returns the time since the loop last completed a turn.
    """
    with ExitStack() as stack:
        writer = StatusWriter(folder, status)
        if folder is not None or led is not None:
            stack.enter_context(writer)
        if led is not None:
            stack.enter_context(Blinker(led, lambda: pattern_for(writer.newest, idle_s())))
        yield


class StatusWriter:
    """Collects the status in its own thread, inside its context, and writes it to the file."""

    def __init__(
        self,
        folder: Path | None,
        body: Callable[[], dict[str, Any]],
        interval_s: float = STATUS_INTERVAL_S,
    ) -> None:
        """`body` returns the status; without a `folder` no file is written."""
        self._file = folder / STATUS_NAME if folder else None
        self._body = body
        self._interval_s = interval_s
        #: The newest status; empty before the first.
        self.newest: Mapping[str, Any] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)

    def __enter__(self) -> StatusWriter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(STOP_TIMEOUT_S)
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def _run(self) -> None:
        failing = False
        while True:
            try:
                self.newest = body = self._body()
                if self._file is not None:
                    write_status(self._file, body)
                failing = False
            except Exception as error:  # a failure of the report must not end the daemon
                level = logging.DEBUG if failing else logging.WARNING
                log.log(level, "the status cannot be written: %s", error)
                failing = True
            if self._stopped.wait(self._interval_s):
                return


def write_status(file: Path, body: Mapping[str, Any]) -> None:
    """Replace `file` atomically by `body` and the time of writing; every user may read it."""
    moment = now()
    complete = {
        "written": iso_utc(moment.utc_s),
        "boot_s": round(moment.boot_s, 3),
        "pid": os.getpid(),
        **body,
    }
    new = file.with_name(file.name + ".new")
    new.write_text(json.dumps(complete, separators=(",", ":")) + "\n", encoding="utf-8")
    new.chmod(0o644)
    new.replace(file)
