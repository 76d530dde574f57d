"""How the daemon is, for who looks at the device itself: a file in memory.

It lies in systemd's RuntimeDirectory, which is no card: it is written every few seconds and goes
when the daemon goes. `mask-patrol status` reads it, and the LED shows the worst of it.
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

#: A gathering that hangs (a disk that does not answer) is left behind after this.
FAREWELL_S = 0.5


@contextmanager
def status_outputs(
    folder: Path | None,
    led: Led | None,
    status: Callable[[], dict[str, Any]],
    idle_s: Callable[[], float],
) -> Iterator[None]:
    """As long as this lasts, `status` is in the file in `folder` and on the `led`, where there
    are such. `idle_s`: since the loop came round."""
    with ExitStack() as stack:
        writer = StatusWriter(folder, status)
        if folder is not None or led is not None:
            stack.enter_context(writer)
        if led is not None:
            stack.enter_context(Blinker(led, lambda: pattern_for(writer.newest, idle_s())))
        yield


class StatusWriter:
    """Gathers how we are from a thread of its own, as long as `with` lasts, and writes it."""

    def __init__(
        self,
        folder: Path | None,
        body: Callable[[], dict[str, Any]],
        interval_s: float = STATUS_INTERVAL_S,
    ) -> None:
        """`body` tells how we are; without a `folder` nothing is written."""
        self._file = folder / STATUS_NAME if folder else None
        self._body = body
        self._interval_s = interval_s
        #: What was gathered last; empty before the first time.
        self.newest: Mapping[str, Any] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)

    def __enter__(self) -> StatusWriter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(FAREWELL_S)
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def _run(self) -> None:
        failed = False
        while True:
            try:
                self.newest = body = self._body()
                if self._file is not None:
                    write(self._file, body)
                failed = False
            except Exception as error:  # worth less than what it tells of
                log.log(
                    logging.DEBUG if failed else logging.WARNING, "no status is told: %s", error
                )
                failed = True
            if self._stopped.wait(self._interval_s):
                return


def write(file: Path, body: Mapping[str, Any]) -> None:
    """`body` and when it was written, whole or not at all, for everybody to read."""
    moment = now()
    told = {
        "written": iso_utc(moment.utc_s),
        "boot_s": round(moment.boot_s, 3),
        "pid": os.getpid(),
        **body,
    }
    new = file.with_name(file.name + ".new")
    new.write_text(json.dumps(told, separators=(",", ":")) + "\n", encoding="utf-8")
    new.chmod(0o644)
    new.replace(file)
