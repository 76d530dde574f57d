"""Runs a program for each event, in the background and within limits."""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, BinaryIO

from edge.common.clock import local_time
from edge.common.errors import printable
from edge.config.output_settings import OutputSettings
from edge.events.alert_machine import Event
from edge.outputs.pin_schedule import concerns
from edge.outputs.state import ProgramState

log = logging.getLogger(__name__)

#: The variables that a program gets. Others may be secrets, such as MASK_PATROL_MQTT_PASSWORD, or
#: would let it speak to systemd in the name of the daemon.
PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR")
#: LC_* are the formats of the language; XDG_RUNTIME_DIR is where the sound server of the user is.
PASSED_ON_PREFIXES = ("LC_", "XDG_RUNTIME_DIR")
#: How much of the end of what a failed program has written to standard error is logged, in bytes.
TAIL_BYTES = 300
READ_BYTES = 65_536
#: How often it is looked whether a program has ended, while it writes nothing.
POLL_S = 0.05
#: How long programs that still run at the end of the daemon may take.
STOP_TIMEOUT_S = 1.0


def program_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a program gets of `environment`."""
    return {
        name: value
        for name, value in environment.items()
        if name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES)
    }


class ProgramRunner:
    """Runs the program of one output; no method waits for it, except `stop`.

    Each process has a thread that waits for its end. The program gets the event as JSON on its
    standard input, its arguments exactly as they are in the settings, and a process group of its
    own, which is killed when the time-out has passed or the program has ended.
    """

    def __init__(
        self,
        settings: OutputSettings,
        local: Callable[[], tuple[int, int]] = local_time,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """`local` returns the day of the week (0: Monday) and the minute of the day."""
        self.settings = settings
        self._local = local
        self._environment = program_environment(environment)
        self._lock = threading.Lock()
        self._state = ProgramState(settings.name, settings.command[0], 0, 0, 0, 0)
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._threads: set[threading.Thread] = set()
        self._stopped = self._killed = False

    @property
    def state(self) -> ProgramState:
        """The present state, from any thread."""
        with self._lock:
            return self._state

    def run(self, event: Event, body: Mapping[str, Any]) -> None:
        """Run the program for `event` if it is for such events; `body` is what it gets.

        While `max_running` processes run, the event is left out, counted and logged.
        """
        settings = self.settings
        if event.event_type not in settings.events or not concerns(settings, event.label):
            return
        if not settings.hours.include(*self._local()):
            return
        data = json.dumps(body).encode("ascii") + b"\n"
        thread = threading.Thread(
            target=self._run, args=(data,), name=f"output {settings.name}", daemon=True
        )
        with self._lock:
            if self._stopped:
                return
            if self._state.running >= settings.max_running:
                self._state = replace(self._state, left_out=self._state.left_out + 1)
                log.warning(
                    "the program of the output %s is not run for %s %s: %d still run (max_running)",
                    settings.name, event.event_type, event.episode, self._state.running,
                )  # fmt: skip
                return
            state = self._state
            self._state = replace(state, running=state.running + 1, started=state.started + 1)
            self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:  # the tasks of the unit (TasksMax=) or the memory are used up
            self._finish(thread, "it cannot be run: no further thread can be started")

    def stop(self, wait_s: float) -> None:
        """Run nothing more; kill what still runs after `wait_s` seconds."""
        with self._lock:
            self._stopped = True
            threads = list(self._threads)
        until_s = time.monotonic() + wait_s
        for thread in threads:
            thread.join(max(0.0, until_s - time.monotonic()))
        with self._lock:
            self._killed = True  # also a process that is being started
            for process in self._processes:
                _kill_group(process)

    def _run(self, data: bytes) -> None:
        problem, errors = "", ""
        try:
            problem, errors = self._run_program(data)
        except OSError as error:
            problem = f"it cannot be run: {error.strerror}"
        except Exception as error:  # a fault here must not end the thread without its count
            problem = f"it failed unexpectedly: {type(error).__name__}"
            log.debug("an output failed", exc_info=True)
        finally:
            self._finish(threading.current_thread(), problem, errors)

    def _finish(self, thread: threading.Thread, problem: str, errors: str = "") -> None:
        """Count a program that has ended, or that could not be run, and report its `problem`."""
        with self._lock:
            failed = self._state.failed + bool(problem)
            self._state = replace(
                self._state, running=self._state.running - 1, failed=failed, problem=problem
            )
            self._threads.discard(thread)
        if problem:
            # What the program has written is only logged: `problem` is also published.
            log.error(
                "the program of the output %s failed: %s%s", self.settings.name, problem, errors
            )

    def _run_program(self, data: bytes) -> tuple[str, str]:
        """Run the program to its end.

        Return why it failed and what it has written last, or two empty texts.
        """
        until_s = time.monotonic() + self.settings.timeout_s
        with _input_with(data) as stdin:
            process = subprocess.Popen(
                self.settings.command,
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=self._environment,
                start_new_session=True,
            )
        with self._lock:
            self._processes.add(process)
            if self._killed:
                _kill_group(process)
        try:
            tail = _wait(process, until_s)
        finally:
            ended = process.poll() is not None
            _kill_group(process)
            process.wait()
            with self._lock:
                self._processes.discard(process)
            if process.stderr is not None:
                process.stderr.close()
        if not ended:
            limit = f"{self.settings.timeout_s:g} s (timeout_s)"
            return f"it still ran after {limit} and was killed", ""
        if process.returncode == 0:
            return "", ""
        text = printable(tail.decode(errors="replace").strip().rpartition("\n")[2])
        errors = f": {text}" if text else ""
        if process.returncode < 0:
            return f"it was ended by the signal {-process.returncode}", errors
        return f"exit code {process.returncode}", errors


def _input_with(data: bytes) -> BinaryIO:
    """Return a pipe from which `data` can be read, which must be shorter than a pipe (64 KiB).

    The daemon need not wait until the program reads it, if it ever does.
    """
    reading, writing = os.pipe()
    try:
        os.write(writing, data)
    finally:
        os.close(writing)
    return os.fdopen(reading, "rb", buffering=0)


def _wait(process: subprocess.Popen[bytes], until_s: float) -> bytes:
    """Wait until the process has ended, or until the time `until_s` of the monotonic clock.

    Return the end of what it has written to standard error. All of that is read, because the
    program would wait if nobody read it.
    """
    assert process.stderr is not None
    errors, tail, is_open = process.stderr.fileno(), b"", True
    while (left_s := until_s - time.monotonic()) > 0.0:
        if process.poll() is not None and not is_open:
            break
        if not is_open:
            with suppress(subprocess.TimeoutExpired):
                process.wait(left_s)
            continue
        ready, _, _ = select.select([errors], [], [], min(left_s, POLL_S))
        if ready:
            chunk = os.read(errors, READ_BYTES)
            is_open = bool(chunk)
            tail = (tail + chunk)[-TAIL_BYTES:]
        elif process.poll() is not None:  # what it has started keeps standard error open
            break
    return tail


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the process group, which has the number of its first process."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
