"""Counts the starts that did not follow a clean stop: after crashes and power failures."""

from __future__ import annotations

import json
import logging
from pathlib import Path

log = logging.getLogger(__name__)


class RestartCounter:
    """A count in a small file beside the outbox; a context manager around the whole run.

    The file is written twice in a run, without fsync, to spare the disk: the count is for
    information only. If the file cannot be read or written, the count starts at zero.
    """

    def __init__(self, path: Path) -> None:
        """Read nothing before the context is entered."""
        self._path = path
        #: Starts that did not follow a clean stop, including the present start.
        self.count = 0

    def __enter__(self) -> RestartCounter:
        try:
            saved = json.loads(self._path.read_text(encoding="utf-8"))
            self.count = max(0, int(saved["restarts"])) + bool(saved["running"])
        except FileNotFoundError:
            pass
        except (OSError, ValueError, OverflowError, TypeError, KeyError, RecursionError) as error:
            log.debug("the count of restarts starts at zero: %s", error)
        self._write(running=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # After an error the service manager starts the daemon again, and that start counts.
        self._write(running=kind is not None)

    def _write(self, running: bool) -> None:
        body = json.dumps({"restarts": self.count, "running": running})
        new = self._path.with_name(self._path.name + ".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new.write_text(body + "\n", encoding="utf-8")
            new.replace(self._path)
        except OSError as error:
            log.debug("the count of restarts cannot be written: %s", error)
