"""Looks at pictures that people drop on the page: the code of `mask-patrol detect`, in a process
of its own.

Pictures come from anywhere, and decoders are the classical way in. Here one can open nothing any
more when it gets its first picture, neither a file nor a connection, has an end to its memory
and its processor time, dies alone when it crashes, and is killed when it takes too long. What it
answers is bytes that are checked, never objects. It is the same user as the dashboard all the
same. It starts with the first picture and ends after some minutes without one, as it takes
memory.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec

from edge.common.errors import UserError
from edge.config.settings import Settings
from edge.dashboard.picture_check.result import MAX_PIXELS, PictureResult

MAX_BYTES = 20 * 1024 * 1024
#: An annotated JPEG of that is smaller, and so is what is asked.
MAX_MESSAGE_BYTES = 32 * 1024 * 1024
#: What the process may take beyond what the loaded model does.
ROOM_BYTES = 512 * 1024 * 1024
PATIENCE_S = 40.0
IDLE_S = 600.0
#: Pictures that may wait for their turn.
MAX_WAITING = 8
KINDS: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("JPEG", lambda raw: raw.startswith(b"\xff\xd8\xff")),
    ("PNG", lambda raw: raw.startswith(b"\x89PNG\r\n\x1a\n")),
    ("WebP", lambda raw: raw[:4] == b"RIFF" and raw[8:12] == b"WEBP"),
    ("BMP", lambda raw: raw.startswith(b"BM")),
)
#: What is taken for a picture and is none.
OTHERS = ((b"%PDF", "a PDF"), (b"PK\x03\x04", "a zip archive"), (b"GIF8", "a GIF"))


class _Answer(msgspec.Struct, frozen=True):
    """The first line of what the process answers; a JPEG may follow."""

    record: dict[str, Any] | None = None
    error: str = ""


class BusyError(UserError):
    """Too many pictures wait."""


def require_picture(raw: bytes, name: str) -> None:
    """Raises UserError for what is no picture by its first bytes, or has lost its last ones."""
    if any(fits(raw) for _, fits in KINDS):
        return
    what = next((what for start, what in OTHERS if raw.startswith(start)), "no picture")
    kinds = ", ".join(kind for kind, _ in KINDS)
    raise UserError(f"{name} is {what if raw else 'empty'}: {kinds} can be checked")


class WorkerClient:
    """One process that looks at one picture at a time; from any thread."""

    def __init__(
        self, settings: Settings, idle_s: float = IDLE_S, patience_s: float = PATIENCE_S
    ) -> None:
        """Nothing is started before the first picture; after `idle_s` without one it ends, and
        it is killed when one takes longer than `patience_s`."""
        self._settings = settings
        self._idle_s = idle_s
        self._patience_s = patience_s
        self._timer: threading.Timer | None = None
        self._turn = threading.Lock()
        self._waiting = threading.BoundedSemaphore(MAX_WAITING)
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self._used_s = 0.0

    def look(self, raw: bytes, name: str, annotated: bool) -> PictureResult:
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

    def _ask(self, raw: bytes, name: str, annotated: bool) -> PictureResult:
        if self._process is None or not self._process.is_alive():
            self._begin()
        pipe, process = self._pipe, self._process
        assert pipe is not None
        assert process is not None
        late = threading.Event()

        def end_it() -> None:
            late.set()
            process.kill()  # what waits for it here then fails

        watchdog = threading.Timer(self._patience_s, end_it)
        watchdog.daemon = True
        watchdog.start()
        try:
            question = {"name": name, "annotated": annotated}
            pipe.send_bytes(json.dumps(question).encode() + b"\n" + raw)
            head, _, picture = pipe.recv_bytes(MAX_MESSAGE_BYTES).partition(b"\n")
            answer = msgspec.json.decode(head, type=_Answer)
        except (EOFError, OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._end()
            if late.is_set():
                raise UserError(f"{name} took too long to look at") from None
            raise UserError(f"{name} cannot be read: decoding it failed") from None
        finally:
            watchdog.cancel()
        if answer.record is None:
            raise UserError(answer.error[:500])
        return PictureResult(answer.record, picture or None)

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
        os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(MAX_PIXELS)
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
    with contextlib.suppress(OSError):  # where memory is short, this goes first
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    from edge.dashboard.picture_check.worker import PictureWorker

    looker: PictureWorker | None = None
    with contextlib.suppress(EOFError, OSError):
        while True:
            head, _, raw = pipe.recv_bytes(MAX_MESSAGE_BYTES).partition(b"\n")
            asked = json.loads(head)
            picture = b""
            try:
                if looker is None:
                    looker = PictureWorker(settings)
                    _confine()
                _allow_time()
                look = looker.look(raw, asked["name"], asked["annotated"])
                answer: dict[str, Any] = {"record": look.record}
                picture = look.annotated or b""
            except UserError as error:
                answer = {"error": str(error)}
            pipe.send_bytes(json.dumps(answer).encode() + b"\n" + picture)


def _confine() -> None:
    """From now on nothing can be opened, and memory has an end."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + ROOM_BYTES
    for what, limit in (
        (resource.RLIMIT_AS, most),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 0),
    ):
        resource.setrlimit(what, (limit, limit))


def _allow_time() -> None:
    """Processor time for one picture, whatever was used before."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime + PATIENCE_S * (os.cpu_count() or 1)) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))


def shown_name(text: str) -> str:
    """A file's name as a browser told it: what can be shown of its last part."""
    last = Path(text.replace("\\", "/")).name
    return "".join(c if c.isprintable() else "?" for c in last)[:80] or "the picture"
