"""Programs at events, with real processes."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.config.hours import Hours
from edge.config.output_settings import OutputSettings
from edge.events.alert_machine import Event
from edge.outputs.program_runner import STOP_TIMEOUT_S, ProgramRunner
from edge.outputs.state import ProgramState
from tests.support.alert_events import alert_event
from tests.support.waiting import PATIENCE_S, wait_until

START, END = alert_event(), alert_event("no_mask_end")
#: What a program gets. Nothing of it may act as anything but text.
BODY = {"event_type": "no_mask_start", "label": "$(touch x); \"'\n\u0000 \u202e Tür `id`"}
SECRETS = {
    "MASK_PATROL_MQTT_PASSWORD": "secret",
    "CREDENTIALS_DIRECTORY": "/run/credentials/mask-patrol.service",
    "NOTIFY_SOCKET": "/run/systemd/notify",
    "WATCHDOG_PID": "1",
}


class Programs:
    """Runs programs, and stops them at the end of the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._runners: list[ProgramRunner] = []

    def runner(self, *command: str, **settings: Any) -> ProgramRunner:
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **SECRETS}
        runner = ProgramRunner(
            OutputSettings(name="say", command=command, **settings), lambda: (0, 0), environment
        )
        self._runners.append(runner)
        return runner

    def shell(self, script: str, **settings: Any) -> ProgramRunner:
        script = f"cd {shlex.quote(str(self.folder))}; {script}"
        return self.runner("/bin/sh", "-c", script, **settings)

    def stop(self) -> None:
        for runner in self._runners:
            runner.stop(0.0)


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    programs = Programs(tmp_path)
    yield programs
    programs.stop()


def run(runner: ProgramRunner, event: Event = START) -> ProgramState:
    """Run the program for an event; return the state after its end."""
    runner.run(event, BODY)
    wait_until(lambda: runner.state.running == 0, "the program ends")
    return runner.state


def gone(process: str) -> bool:
    """Whether a process has ended; it may be a zombie whose parent does not wait for it."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_program_gets_the_event_its_arguments_and_no_secret(programs: Programs) -> None:
    script = (
        "import json, os, sys; json.dump({'event': json.loads(sys.stdin.readline()), "
        "'rest': sys.stdin.read(), 'arguments': sys.argv[2:], 'environment': dict(os.environ)}, "
        "open(sys.argv[1], 'w'))"
    )
    hostile = ["$(touch x)", "a b", "; touch x", "*", "--"]
    result = programs.folder / "result.json"
    state = run(programs.runner(sys.executable, "-c", script, str(result), *hostile))
    assert (state.started, state.failed, state.problem) == (1, 0, "")
    got = json.loads(result.read_text())
    assert (got["event"], got["rest"], got["arguments"]) == (BODY, "", hostile)
    assert not SECRETS.keys() & got["environment"].keys()
    assert got["environment"]["LC_ALL"] == "C.UTF-8"
    assert [path.name for path in programs.folder.iterdir()] == ["result.json"]


def test_only_the_chosen_events_labels_and_hours_run_it(programs: Programs) -> None:
    ends = programs.runner("/bin/true", events=("no_mask_end",))
    ends.run(START, BODY)
    others = programs.runner("/bin/true", labels=("incorrect_mask",))
    others.run(START, BODY)
    later = programs.runner("/bin/true", hours=Hours(start="01:00", end="02:00"))
    later.run(START, BODY)
    assert [each.state.started for each in (ends, others, later)] == [0, 0, 0]
    assert run(ends, END).started == 1


def test_program_that_hangs_is_killed_with_all_it_has_started(
    programs: Programs, caplog: pytest.LogCaptureFixture
) -> None:
    state = run(programs.shell("sleep 1000 & echo $! > child; sleep 1000", timeout_s=0.5))
    assert state.failed == 1
    assert state.problem == "it still ran after 0.5 s (timeout_s) and was killed"
    wait_until(lambda: gone((programs.folder / "child").read_text().strip()), "its child ends")
    assert "the program of the output say failed: it still ran" in caplog.text


def test_what_a_program_leaves_behind_is_killed(programs: Programs) -> None:
    """It would hold up nothing, but would not count as running either."""
    state = run(programs.shell("sleep 1000 & echo $! > child"))
    assert state.failed == 0
    wait_until(lambda: gone((programs.folder / "child").read_text().strip()), "its child ends")


def test_more_than_the_limit_at_once_is_left_out_and_counted(
    programs: Programs, caplog: pytest.LogCaptureFixture
) -> None:
    runner = programs.shell("until [ -e go ]; do sleep 0.02; done", max_running=2)
    for _ in range(5):
        runner.run(START, BODY)
    state = runner.state
    assert (state.running, state.started, state.left_out) == (2, 2, 3)
    assert "is not run for no_mask_start door1-1: 2 still run (max_running)" in caplog.text
    (programs.folder / "go").touch()
    wait_until(lambda: runner.state.running == 0, "both end")
    assert run(runner).started == 3


@pytest.mark.parametrize(
    ("script", "problem", "logged"),
    [
        ("echo first >&2; echo 'no sound card' >&2; exit 3", "exit code 3", ": no sound card"),
        ("exit 4", "exit code 4", ""),
        ("printf 'a\\033[31mb' >&2; exit 1", "exit code 1", ": a\\x1b[31mb"),
        ("kill -SEGV $$", "it was ended by the signal 11", ""),
        ("head -c 3000000 /dev/zero >&2; echo full >&2; exit 5", "exit code 5", "full"),
        ("exec 2>&-; sleep 0.2; exit 6", "exit code 6", ""),
    ],
)
def test_failure_is_logged_with_the_last_line_of_its_errors(
    programs: Programs, caplog: pytest.LogCaptureFixture, script: str, problem: str, logged: str
) -> None:
    state = run(programs.shell(script))
    assert (state.failed, state.problem) == (1, problem)  # which is published: no output in it
    wait_until(lambda: bool(caplog.records), "the failure is logged")
    message = caplog.records[0].getMessage()
    assert message.startswith(f"the program of the output say failed: {problem}")
    assert message.endswith(logged)
    assert len(message) < 2000


def test_program_that_cannot_be_run_is_reported(programs: Programs) -> None:
    state = run(programs.runner("/no/such/program"))
    assert state.problem == "it cannot be run: No such file or directory"
    state = run(programs.runner(str(programs.folder)))
    assert state.problem == "it cannot be run: Permission denied"


def test_stop_kills_what_still_runs_and_runs_nothing_more(programs: Programs) -> None:
    runner = programs.shell("echo $$ > pid; exec sleep 1000")
    runner.run(START, BODY)
    wait_until(lambda: bool((programs.folder / "pid").exists()), "the program runs")
    runner.stop(0.0)
    wait_until(lambda: runner.state.running == 0, "it is killed")
    runner.run(START, BODY)
    assert runner.state.started == 1


def test_stop_kills_a_program_that_is_just_being_started(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reload stops the programs whose settings have changed, and waits for none."""
    stopped, start = threading.Event(), subprocess.Popen

    def start_late(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        assert stopped.wait(PATIENCE_S)
        return start(*arguments, **options)

    monkeypatch.setattr("edge.outputs.program_runner.subprocess.Popen", start_late)
    runner = programs.runner("/bin/sleep", "1000", timeout_s=3600.0)
    runner.run(START, BODY)
    runner.stop(0.0)
    stopped.set()
    wait_until(lambda: runner.state.running == 0, "it is killed")


def test_lack_of_threads_does_not_reach_the_loop(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a program has used up the tasks of the unit (TasksMax=)."""
    runner = programs.runner("/bin/true")
    with monkeypatch.context() as limit:
        limit.setattr("edge.outputs.program_runner.threading.Thread.start", lack_of_threads)
        runner.run(START, BODY)
    state = runner.state
    assert (state.running, state.failed) == (0, 1)
    assert state.problem == "it cannot be run: no further thread can be started"
    assert run(runner).problem == ""


def lack_of_threads(_thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_stop_lets_short_programs_end(programs: Programs) -> None:
    runner = programs.shell("sleep 0.1; touch done")
    runner.run(END, BODY)
    runner.run(START, BODY)
    runner.stop(60 * STOP_TIMEOUT_S)
    assert (programs.folder / "done").exists()
