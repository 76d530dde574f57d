"""Looks at pictures that people drop on the page: the code of `mask-patrol detect`, in a process
of its own.

Pictures come from anywhere, and decoders are the classical way in. Here one has no network, no
files open but this pipe, dies alone when it crashes, and is killed when it takes too long. It
starts with the first picture and ends after some minutes without one, as it takes memory.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from edge.config import Settings
from edge.errors import UserError

MOST_BYTES = 20 * 1024 * 1024
MOST_PIXELS = 40_000_000
PATIENCE_S = 40.0
IDLE_S = 600.0
#: Pictures that may wait for their turn.
MOST_WAITING = 8
ANNOTATED_QUALITY = 90
KINDS: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("JPEG", lambda raw: raw.startswith(b"\xff\xd8\xff")),
    ("PNG", lambda raw: raw.startswith(b"\x89PNG\r\n\x1a\n")),
    ("WebP", lambda raw: raw[:4] == b"RIFF" and raw[8:12] == b"WEBP"),
    ("BMP", lambda raw: raw.startswith(b"BM")),
)
#: What is taken for a picture and is none.
OTHERS = ((b"%PDF", "a PDF"), (b"PK\x03\x04", "a zip archive"), (b"GIF8", "a GIF"))


@dataclass(frozen=True)
class Look:
    """What was found: as `mask-patrol detect --json` says it, and the annotated JPEG if it was
    asked for."""

    record: dict[str, Any]
    annotated: bytes | None


class BusyError(UserError):
    """Too many pictures wait."""


def require_picture(raw: bytes, name: str) -> None:
    """Raises UserError for what is no picture by its first bytes, or has lost its last ones."""
    if any(fits(raw) for _, fits in KINDS):
        return
    what = next((what for start, what in OTHERS if raw.startswith(start)), "no picture")
    kinds = ", ".join(kind for kind, _ in KINDS)
    raise UserError(f"{name} is {what if raw else 'empty'}: {kinds} can be checked")


class Inspector:
    """One process that looks at one picture at a time; from any thread."""

    def __init__(self, settings: Settings, idle_s: float = IDLE_S) -> None:
        """Nothing is started before the first picture; after `idle_s` without one it ends."""
        self._settings = settings
        self._idle_s = idle_s
        self._timer: threading.Timer | None = None
        self._turn = threading.Lock()
        self._waiting = threading.BoundedSemaphore(MOST_WAITING)
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self._used_s = 0.0

    def look(self, raw: bytes, name: str, annotated: bool) -> Look:
        """Find the faces in a picture; raises UserError for what is none, BusyError."""
        require_picture(raw, name)
        if not self._waiting.acquire(blocking=False):
            raise BusyError("too many pictures wait to be checked: try again in a moment")
        try:
            with self._turn:
                try:
                    return self._ask(raw, name, annotated)
                finally:
                    self._rest_later()
        finally:
            self._waiting.release()

    def rest(self) -> None:
        """End the process if it has had nothing to do for long."""
        with self._turn:
            if self._process is not None and time.monotonic() - self._used_s >= self._idle_s:
                self._end()

    def stop(self) -> None:
        """End the process."""
        with self._turn:
            if self._timer is not None:
                self._timer.cancel()
            self._end()

    @property
    def process_id(self) -> int | None:
        """Of the process, while there is one."""
        process = self._process
        return process.pid if process is not None and process.is_alive() else None

    def _ask(self, raw: bytes, name: str, annotated: bool) -> Look:
        if self._process is None or not self._process.is_alive():
            self._begin()
        pipe = self._pipe
        assert pipe is not None
        try:
            pipe.send((raw, name, annotated))
            if not pipe.poll(PATIENCE_S):
                self._end()
                raise UserError(f"{name} took too long to look at")
            answer: Look | str = pipe.recv()
        except (EOFError, OSError):
            self._end()
            raise UserError(f"{name} cannot be read: decoding it failed") from None
        if isinstance(answer, str):
            raise UserError(answer)
        return answer

    def _rest_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._used_s = time.monotonic()
        self._timer = threading.Timer(self._idle_s, self.rest)
        self._timer.daemon = True
        self._timer.start()

    def _begin(self) -> None:
        self._end()
        # OpenCV reads it when it is loaded, there and never here, and looks before it decodes.
        os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(MOST_PIXELS)
        # A fork of a process with threads is a gamble; a fresh one also has its own limits.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_inspect, args=(theirs, self._settings), name="inspector", daemon=True
        )
        self._process.start()
        theirs.close()

    def _end(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.kill()
            self._process.join(5.0)
        self._process = self._pipe = None


def _inspect(pipe: Connection, settings: Settings) -> None:
    """The process: answers until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from edge.web.looking import Looker

    looker: Looker | None = None
    with contextlib.suppress(EOFError, OSError):
        while True:
            raw, name, annotated = pipe.recv()
            try:
                looker = looker or Looker(settings)
                pipe.send(looker.look(raw, name, annotated))
            except UserError as error:
                pipe.send(str(error))


def shown_name(text: str) -> str:
    """A file's name as a browser told it: what can be shown of its last part."""
    last = Path(text.replace("\\", "/")).name
    return "".join(c if c.isprintable() else "?" for c in last)[:80] or "the picture"
