"""The client of the worker process, which checks pictures with the code of `mask-patrol detect`.

Uploaded pictures may come from anyone, and image decoders are a classic attack surface.
Therefore a separate process decodes them. Before it receives its first picture it gives up the
right to open files and connections, and its memory and processor time are limited. It can crash
without any effect on the dashboard, and it is killed when it takes too long. Its answers are
bytes that are validated, never pickled objects. However, the process runs as the same user as
the dashboard.

The process starts with the first picture and ends after some minutes without one, because it
takes memory.
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
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec

from edge.camera.pictures.picture_formats import HEIF_FORMATS, PictureFormat, format_of, other_kind
from edge.common.errors import UserError
from edge.config.settings import Settings
from edge.dashboard.picture_check.result import PictureResult

MAX_BYTES = 20 * 1024 * 1024
#: Requests are smaller than this, and so is the annotated JPEG of a picture of `MAX_PIXELS`.
MAX_MESSAGE_BYTES = 32 * 1024 * 1024
#: Memory that the worker may allocate in addition to what it has when the model is loaded.
EXTRA_MEMORY_BYTES = 512 * 1024 * 1024
CHECK_TIMEOUT_S = 40.0
IDLE_TIMEOUT_S = 600.0
#: Pictures that may wait for the worker; further ones are refused.
MAX_WAITING = 8
#: The longest error text that is accepted from the worker.
MAX_ERROR_LENGTH = 500
#: The name of a picture that the browser sent without one.
UNNAMED = "the picture"
#: The formats of uploaded pictures. The worker decodes HEIC and AVIF if their libraries are
#: installed, and else says how to install them.
FORMATS: tuple[PictureFormat, ...] = ("JPEG", "PNG", "WebP", "BMP")


class _Response(msgspec.Struct, frozen=True):
    """The first line of the worker's answer; a JPEG may follow it."""

    record: dict[str, Any] | None = None
    error: str = ""


class BusyError(UserError):
    """Too many pictures are waiting for the worker."""


def require_picture(raw: bytes, name: str) -> None:
    """Raise UserError unless `raw` begins like a file of a supported format."""
    found = format_of(raw)
    if found in (*FORMATS, *HEIF_FORMATS):
        return
    kind = f"a {found}" if found else other_kind(raw)
    problem = "is empty" if not raw else f"is {kind}" if kind else "is not a picture"
    raise UserError(f"{name} {problem}; supported formats: {', '.join(FORMATS)}")


class WorkerClient:
    """Starts the worker process and has it check one picture at a time. Thread-safe."""

    def __init__(
        self,
        settings: Settings,
        idle_s: float = IDLE_TIMEOUT_S,
        timeout_s: float = CHECK_TIMEOUT_S,
    ) -> None:
        """Prepare, but start no process before the first picture.

        The process ends after `idle_s` without a picture. It is killed when one picture takes
        longer than `timeout_s`.
        """
        self._settings = settings
        self._idle_s = idle_s
        self._timeout_s = timeout_s
        self._idle_timer: threading.Timer | None = None
        self._lock = threading.Lock()
        self._waiting = threading.BoundedSemaphore(MAX_WAITING)
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self._used_s = 0.0

    def check(self, raw: bytes, name: str, annotated: bool) -> PictureResult:
        """Find and classify the faces in the encoded picture `raw`.

        Raises UserError when `raw` is not a picture that can be decoded, and BusyError when too
        many pictures are waiting.
        """
        require_picture(raw, name)
        if not self._waiting.acquire(blocking=False):
            raise BusyError("too many pictures are waiting to be checked: try again in a moment")
        try:
            with self._lock:
                try:
                    return self._exchange(raw, name, annotated)
                finally:
                    self._schedule_idle_stop()
        finally:
            self._waiting.release()

    def stop_if_idle(self) -> None:
        """End the process if it has checked no picture for the idle time."""
        with self._lock:
            if self._process is not None and time.monotonic() - self._used_s >= self._idle_s:
                self._end_process()

    def stop(self) -> None:
        """End the process."""
        with self._lock:
            if self._idle_timer is not None:
                self._idle_timer.cancel()
            self._end_process()

    @property
    def process_id(self) -> int | None:
        """Return the ID of the worker process, or None if none runs."""
        process = self._process
        return process.pid if process is not None and process.is_alive() else None

    def _exchange(self, raw: bytes, name: str, annotated: bool) -> PictureResult:
        """Send one picture to the worker and return its answer; raises UserError."""
        if self._process is None or not self._process.is_alive():
            self._start_process()
        pipe, process = self._pipe, self._process
        assert pipe is not None
        assert process is not None
        timed_out = threading.Event()

        def kill() -> None:
            timed_out.set()
            process.kill()  # this makes the reads and writes below fail

        watchdog = threading.Timer(self._timeout_s, kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            request = {"name": name, "annotated": annotated}
            pipe.send_bytes(json.dumps(request).encode() + b"\n" + raw)
            head, _, picture = pipe.recv_bytes(MAX_MESSAGE_BYTES).partition(b"\n")
            response = msgspec.json.decode(head, type=_Response)
        except (EOFError, OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._end_process()
            if timed_out.is_set():
                raise UserError(f"{name} took too long to check") from None
            raise UserError(f"{name} cannot be read: decoding it failed") from None
        finally:
            watchdog.cancel()
        if response.record is None:
            raise UserError(response.error[:MAX_ERROR_LENGTH])
        return PictureResult(response.record, picture or None)

    def _schedule_idle_stop(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        self._used_s = time.monotonic()
        self._idle_timer = threading.Timer(self._idle_s, self.stop_if_idle)
        self._idle_timer.daemon = True
        self._idle_timer.start()

    def _start_process(self) -> None:
        self._end_process()
        # Forking a process that has threads is unsafe; a new process also gets its own limits.
        context = multiprocessing.get_context("spawn")
        self._pipe, worker_pipe = context.Pipe()
        self._process = context.Process(
            target=_run_worker,
            args=(worker_pipe, self._settings),
            name="picture-check",
            daemon=True,
        )
        self._process.start()
        worker_pipe.close()

    def _end_process(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.kill()
            self._process.join(5.0)
        self._process = self._pipe = None


def _run_worker(pipe: Connection, settings: Settings) -> None:
    """Run the worker process: answer requests until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # the first process to be killed when memory runs out
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    from edge.dashboard.picture_check.worker import PictureWorker

    worker: PictureWorker | None = None
    with contextlib.suppress(EOFError, OSError):
        while True:
            head, _, raw = pipe.recv_bytes(MAX_MESSAGE_BYTES).partition(b"\n")
            request = json.loads(head)
            picture = b""
            try:
                if worker is None:
                    worker = PictureWorker(settings)
                    _limit_resources()
                _limit_processor_time()
                result = worker.check(raw, request["name"], request["annotated"])
                response: dict[str, Any] = {"record": result.record}
                picture = result.annotated or b""
            except UserError as error:
                response = {"error": str(error)}
            pipe.send_bytes(json.dumps(response).encode() + b"\n" + picture)


def _limit_resources() -> None:
    """Forbid opening files and connections from now on, and limit the memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    max_memory_bytes = pages * resource.getpagesize() + EXTRA_MEMORY_BYTES
    for limit, value in (
        (resource.RLIMIT_AS, max_memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 0),
    ):
        resource.setrlimit(limit, (value, value))


def _limit_processor_time() -> None:
    """Allow the processor time of one picture on top of the time used so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    max_s = int(used.ru_utime + used.ru_stime + CHECK_TIMEOUT_S * (os.cpu_count() or 1)) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (max_s, resource.RLIM_INFINITY))


def display_name(text: str) -> str:
    """Return the file name that a browser sent, without folders and unprintable characters."""
    last = Path(text.replace("\\", "/")).name
    return "".join(c if c.isprintable() else "?" for c in last)[:80] or UNNAMED
