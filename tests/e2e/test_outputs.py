"""Pins and programs of a real daemon: gpiozero's mock pins, a real camera, and no broker."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from edge.common.paths import STATUS_NAME, event_schema
from tests.support.camera.mjpeg_server import MjpegCamera
from tests.support.cli_process import environment
from tests.support.footage.visit_clip import BARE_S, frame_at
from tests.support.mock_pins import PinChange, read_changes
from tests.support.ports import free_port
from tests.support.waiting import wait_until

pytest.importorskip("gpiozero")
LIGHT, BUZZER = 17, 27


class Door:
    """A daemon with outputs: its configuration, and what it has switched, run and reported."""

    def __init__(self, folder: Path, camera: MjpegCamera) -> None:
        self.folder = folder
        self.config = folder / "door.toml"
        self._camera = camera
        self._port = free_port()  # nobody listens: outputs work without a network

    def write_config(self, outputs: str) -> None:
        self.config.write_text(
            f'device = "door1"\ntitle = "$(touch hacked) \\"; <b>"\n'
            f'[camera]\nsource = "{self._camera.url}"\n'
            f'[mqtt]\nhost = "127.0.0.1"\nport = {self._port}\n'
            "[events]\nmin_readings = 1\nconfirm_s = 0.0\n[tracker]\nleave_after_s = 0.5\n"
            f"{outputs}"
        )

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start a command of mask-patrol with this configuration and mock pins."""
        return subprocess.Popen(
            [
                sys.executable, "-m", "tests.support.mock_pins", self.folder,
                *arguments, "--config", self.config,
            ],
            env={**environment(self.folder), "RUNTIME_DIRECTORY": str(self.folder)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        process = self.start(
            "run", "--events", self.folder / "events.jsonl", "--log-level", "warning"
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def newest(self, pin: int) -> PinChange | None:
        """Return the last change of `pin`."""
        return next((c for c in reversed(read_changes(self.folder)) if c.pin == pin), None)

    def wait_for(self, pin: int, level: int, function: str = "output") -> PinChange:
        """Wait until `pin` has the level and the function; return the change."""

        def reached() -> bool:
            newest = self.newest(pin)
            return newest is not None and (newest.function, newest.level) == (function, level)

        wait_until(reached, f"GPIO{pin} is an {function} at {level}")
        newest = self.newest(pin)
        assert newest is not None
        return newest

    def events(self, name: str = "events.jsonl") -> list[dict[str, Any]]:
        path = self.folder / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def outputs(self) -> list[dict[str, Any]]:
        """Return the states of the outputs, as the daemon reports them."""
        try:
            return list(json.loads((self.folder / STATUS_NAME).read_text())["health"]["outputs"])
        except FileNotFoundError:
            return []


@pytest.fixture
def camera() -> Iterator[MjpegCamera]:
    with MjpegCamera([frame_at(BARE_S)]) as camera:
        yield camera


@pytest.fixture
def door(tmp_path: Path, camera: MjpegCamera) -> Door:
    return Door(tmp_path, camera)


def output(name: str, **settings: object) -> str:
    """Return the table of an output; JSON's texts, numbers and arrays are also TOML's."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    return "\n".join([f'[[output]]\nname = "{name}"', *lines]) + "\n"


def test_outputs_follow_the_alert(door: Door, camera: MjpegCamera) -> None:
    """One run: start of an alert, its end, a hanging pipeline, reloads, and SIGTERM."""
    say = door.folder / "said.jsonl"
    shell = ["/bin/sh", "-c", f"cat >> '{say}'; test -z \"$MASK_PATROL_MQTT_PASSWORD\""]
    events = ["no_mask_start", "no_mask_end"]
    program = output("say", command=shell, events=events)
    light, buzzer = output("light", pin=LIGHT), output("buzzer", pin=BUZZER, active="low")
    door.write_config(light + buzzer + program)
    with door.running() as process:
        on = door.wait_for(LIGHT, 1)
        door.wait_for(BUZZER, 0)
        wait_until(lambda: bool(door.events("said.jsonl")), "the program gets the event")
        start = door.events()[0]
        assert door.events("said.jsonl") == [start]
        Draft202012Validator(json.loads(event_schema().read_text())).validate(start)
        decided_s = datetime.fromisoformat(start["time"]).timestamp()
        print(f"capture of the deciding frame to pin changed: {on.at_s - decided_s:.3f} s")
        wait_until(
            lambda: [o.get("on") for o in door.outputs()] == [True, True, None], "the status"
        )
        assert [(o["name"], o["problem"]) for o in door.outputs()] == [
            ("light", ""), ("buzzer", ""), ("say", "")
        ]  # fmt: skip

        camera.stalled.set()
        door.wait_for(LIGHT, 0)
        door.wait_for(BUZZER, 1)
        wait_until(lambda: len(door.events("said.jsonl")) == 2, "the program gets the end")
        camera.stalled.clear()
        door.wait_for(LIGHT, 1)

        (door.folder / "hang").touch()
        door.wait_for(LIGHT, 0)
        (door.folder / "hang").unlink()
        door.wait_for(LIGHT, 1)

        # A configuration that cannot be used changes nothing; another one applies at once.
        before = len(read_changes(door.folder))
        door.write_config(light + output("siren", pin=45))
        process.send_signal(signal.SIGHUP)
        assert process.stderr is not None
        wait_until(lambda: "GPIO45 is no pin of this board" in process.stderr.readline(), "refused")
        assert not [c for c in read_changes(door.folder)[before:] if c.function == "input"]
        door.write_config(output("light", pin=LIGHT, mode="blink", on_s=0.1, off_s=0.1))
        process.send_signal(signal.SIGHUP)
        door.wait_for(BUZZER, 1, "input")
        before = len(read_changes(door.folder))
        wait_until(lambda: len(read_changes(door.folder)) >= before + 4, "the light blinks")

        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30.0)
    assert process.returncode == 0, errors
    changes = [change for change in read_changes(door.folder) if change.pin == LIGHT]
    assert (changes[-1].function, changes[-1].level) == ("input", 0)
    assert [c.level for c in changes[-2:]] == [0, 0], "it is switched off before it is released"
    assert "hacked" not in [path.name for path in door.folder.iterdir()]


def test_pins_of_a_killed_daemon_are_switched_off_by_the_command(door: Door) -> None:
    """The service runs it at each stop, because a killed process switches nothing off."""
    door.write_config(output("light", pin=LIGHT))
    with door.running() as process:
        door.wait_for(LIGHT, 1)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert door.newest(LIGHT) == door.wait_for(LIGHT, 1)
    command = door.start("outputs", "off")
    text, errors = command.communicate(timeout=30.0)
    assert (command.returncode, text) == (0, "light: GPIO17 is off\n"), errors
    door.wait_for(LIGHT, 0, "input")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_pin_is_switched_off_when_the_trial_is_ended(door: Door, number: signal.Signals) -> None:
    door.write_config(output("light", pin=LIGHT))
    trial = door.start("outputs", "test", "light")
    door.wait_for(LIGHT, 1)
    trial.send_signal(number)
    assert trial.communicate(timeout=30.0) == ("", "")
    assert trial.returncode == 130
    door.wait_for(LIGHT, 0, "input")
