from __future__ import annotations

import os
import signal
import subprocess
import sys

from edge.daemon.controls import Controls, signals_to


def test_pause_and_resume_return_the_state() -> None:
    controls = Controls()
    assert not controls.paused
    assert (controls.pause(), controls.paused) == ({"paused": True}, True)
    assert (controls.resume(), controls.paused) == ({"paused": False}, False)


def test_request_during_a_reload_causes_another() -> None:
    controls = Controls()
    controls.reload_requested.set()
    assert controls.reloading
    controls.begin_reload()
    assert controls.reloading
    assert not controls.reload_requested.is_set()
    controls.reload_requested.set()
    controls.end_reload("")
    assert controls.reloading  # the second request has not been served


def test_refusal_is_kept_until_the_next_reload() -> None:
    controls = Controls()
    controls.begin_reload()
    controls.end_reload("no such camera")
    assert (controls.reloading, controls.refusal) == (False, "no such camera")
    controls.begin_reload()
    controls.end_reload("")
    assert controls.refusal == ""


def test_signals_become_requests() -> None:
    controls = Controls()
    before = signal.getsignal(signal.SIGHUP)
    with signals_to(controls):
        os.kill(os.getpid(), signal.SIGHUP)
        assert controls.reload_requested.wait(20.0)
        assert not controls.stop_requested.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        assert controls.stop_requested.wait(20.0)
    assert signal.getsignal(signal.SIGHUP) is before


def test_second_stop_signal_ends_the_process() -> None:
    code = (
        "import os, signal\n"
        "from edge.daemon.controls import Controls, signals_to\n"
        "with signals_to(Controls()):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    raise AssertionError\n"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert process.returncode == 128 + signal.SIGINT
