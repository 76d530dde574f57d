"""Starts a daemon for the bench: its own process, embedded broker, and outbox.

The state of a daemon that is installed on this machine is not touched.
"""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from edge.bench.processes import our_command, our_environment
from edge.bench.settings_file import as_toml
from edge.camera.private_source import SOURCE_VARIABLE
from edge.common.errors import UserError
from edge.config.settings import Settings, change
from edge.mqtt.broker import Broker
from edge.mqtt.embedded_broker import EmbeddedBroker

BASE = "maskpatrolbench"
FPS = 10.0
STOP_S = 10.0
#: The embedded broker needs neither a login nor certificates.
_PLAIN: dict[str, Any] = {
    "username": "", "password_file": "", "tls": False,
    "ca_file": "", "cert_file": "", "key_file": "", "discovery": False,
}  # fmt: skip


@dataclass(frozen=True)
class Workspace:
    """A folder for the daemon's files, and a broker for its messages."""

    folder: Path
    broker: Broker
    mqtt: dict[str, Any]

    def configuration(self, settings: Settings, device: str, pictures: Path) -> Path:
        """Write and return a settings file for a daemon `device` that plays `pictures` at `FPS`."""
        own = change(
            settings,
            device=device,
            camera={
                "source": str(pictures),
                "source_file": "",
                "fps": FPS,
                "zone": (),
                "rotate": 0,
                "mirror": False,
                "controls": {},
                "night": {},
            },
            detector={"farthest_m": 0.0},  # its effect is in the other settings already
            outbox={"path": str(self.folder / f"{device}.sqlite3")},
            mqtt={**_PLAIN, **self.mqtt, "base": BASE, "health_interval_s": 0.5},
            metrics={"port": None},
            snapshot={"enabled": False},
        )
        config = self.folder / f"{device}.toml"
        config.write_text(as_toml(own), encoding="utf-8")
        return config


@contextmanager
def workspace() -> Iterator[Workspace]:
    """Provide a workspace while `with` lasts.

    Raises UserError when the embedded broker is not installed.
    """
    if importlib.util.find_spec("amqtt") is None:
        raise UserError(
            "the embedded broker is needed: pip install '.[broker]' in a clone of the repository"
        )
    with tempfile.TemporaryDirectory(prefix="mask-patrol-bench-") as name, EmbeddedBroker() as it:
        yield Workspace(Path(name), Broker(it.host, it.port, version="3.1.1"), it.settings)


@contextmanager
def running(config: Path) -> Iterator[Daemon]:
    """Run a daemon with `config` while `with` lasts."""
    words = ["run", "--config", str(config), "--log-level", "error"]
    with tempfile.TemporaryFile("w+") as output:
        # The pictures of the bench replace the camera of the environment. What the Camera page has
        # saved for an installed daemon is not used.
        state = str(config.with_suffix(""))
        environment = our_environment(**{SOURCE_VARIABLE: "", "STATE_DIRECTORY": state})
        process = subprocess.Popen(
            our_command("edge", *words), env=environment, stdout=output, stderr=output
        )
        try:
            yield Daemon(process, output)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Daemon:
    """A running daemon process."""

    def __init__(self, process: subprocess.Popen[Any], output: IO[str]) -> None:
        """`output` is the file that receives its standard output and error."""
        self._process, self._output = process, output

    @property
    def process_id(self) -> int:
        """The id of the daemon's process."""
        return self._process.pid

    def has_ended(self) -> bool:
        """Return whether the process has ended by itself."""
        return self._process.poll() is not None

    def exit_code(self) -> int | None:
        """Return the exit code, None while the process runs."""
        return self._process.poll()

    def last_line(self) -> str | None:
        """Return the last line of its output, or None without output."""
        self._output.seek(0)
        lines = self._output.read().strip().splitlines()
        return lines[-1] if lines else None
