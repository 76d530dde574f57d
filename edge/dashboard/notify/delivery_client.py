"""The client of the delivery process: starts it, wakes it, and starts it again if it ends."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading

import msgspec

from edge.common.backoff import Backoff
from edge.common.errors import UsageError, UserError
from edge.dashboard.notify.delivery_protocol import (
    STOP_GRACE_S,
    STOP_LINE,
    TEST_LINE,
    DeliveryConfiguration,
    LogLine,
)

log = logging.getLogger(__name__)

MODULE = "edge.dashboard.notify.delivery_process"
FIRST_RESTART_S, MAX_RESTART_S = 1.0, 60.0


class DeliveryClient:
    """Keeps the delivery process running; may be used from any thread."""

    def __init__(self, configuration: DeliveryConfiguration) -> None:
        """Prepare, but start no process."""
        self._configuration = configuration
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name="notify", daemon=True)

    @property
    def is_running(self) -> bool:
        """Whether the process runs; without it, notifications wait."""
        process = self._process
        return process is not None and process.poll() is None

    def start(self) -> None:
        """Start the process, and wait until it has read its configuration.

        Raises UsageError if a receiver's address is invalid.
        """
        self._process = self._start_process()
        self._thread.start()

    def wake(self, is_test: bool = False) -> None:
        """Have the process read the queue at once, with `is_test` for all targets."""
        self._write(TEST_LINE if is_test else "")

    def stop(self) -> None:
        """End the process; an attempt that is running is completed, for a few seconds."""
        self._stopped.set()
        self._write(STOP_LINE)
        process = self._process
        if process is not None:
            self._close_input(process)
            try:
                process.wait(STOP_GRACE_S + 2.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._thread.is_alive():
            self._thread.join()

    def _start_process(self) -> subprocess.Popen[str]:
        """Raises UsageError with the reason if the process cannot start."""
        process = subprocess.Popen(
            [sys.executable, "-m", MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(OSError):
            process.stdin.write(msgspec.json.encode(self._configuration).decode() + "\n")
            process.stdin.flush()
        answer = process.stdout.readline()
        if answer == "\n":
            # A process that does not read must not hold up the dashboard.
            os.set_blocking(process.stdin.fileno(), False)
            return process
        process.stdin.close()
        process.wait()
        process.stdout.close()
        raise UsageError(answer.strip() or "the process that delivers notifications does not start")

    def _supervise(self) -> None:
        """Log the messages of the process, and start it again when it ends."""
        backoff = Backoff(FIRST_RESTART_S, MAX_RESTART_S)
        process = self._process
        while process is not None:
            self._relay_log(process)
            code = process.wait()
            if self._stopped.is_set():
                return
            log.error("the process that delivers notifications ended with the code %d", code)
            process = None
            while process is None:
                if self._stopped.wait(backoff.next_delay_s()):
                    return
                with contextlib.suppress(UserError, OSError):
                    process = self._start_process()
            self._process = process
            if self._stopped.is_set():
                self._close_input(process)

    def _relay_log(self, process: subprocess.Popen[str]) -> None:
        """Log what the process reports, until it ends."""
        assert process.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            for line in process.stdout:
                with contextlib.suppress(msgspec.MsgspecError):
                    found = msgspec.json.decode(line, type=LogLine)
                    log.log(found.level, found.text)

    def _write(self, line: str) -> None:
        process = self._process
        if process is None or process.stdin is None:
            return
        with self._lock, contextlib.suppress(OSError, ValueError):
            os.write(process.stdin.fileno(), f"{line}\n".encode())

    def _close_input(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        with self._lock, contextlib.suppress(OSError):
            process.stdin.close()
