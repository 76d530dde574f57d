"""How often the daemon was started again without having stopped: crashes, power cuts."""

from __future__ import annotations

import json
import logging
from pathlib import Path

log = logging.getLogger(__name__)


class RestartCounter:
    """A count in a small file beside the outbox; a context manager around the whole run.

    The file is written twice a run and never synchronised to the disk: it is a figure,
    not an event. Where it cannot be written the count starts anew.
    """

    def __init__(self, path: Path) -> None:
        """Nothing is read before `with`."""
        self._path = path
        #: Starts of this device that followed no clean stop.
        self.count = 0

    def __enter__(self) -> RestartCounter:
        try:
            told = json.loads(self._path.read_text(encoding="utf-8"))
            self.count = max(0, int(told["restarts"])) + bool(told["running"])
        except FileNotFoundError:
            pass
        except (OSError, ValueError, OverflowError, TypeError, KeyError, RecursionError) as error:
            log.debug("the count of restarts begins anew: %s", error)
        self._write(running=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # What ends with an error will be started again, and that counts.
        self._write(running=kind is not None)

    def _write(self, running: bool) -> None:
        body = json.dumps({"restarts": self.count, "running": running})
        new = self._path.with_name(self._path.name + ".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new.write_text(body + "\n", encoding="utf-8")
            new.replace(self._path)
        except OSError as error:
            log.debug("the count of restarts cannot be kept: %s", error)
