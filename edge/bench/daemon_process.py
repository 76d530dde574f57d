"""The daemon as the bench starts it: a process, an embedded broker, an outbox of its own.

What a device that runs here keeps is not touched.
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
from edge.common.errors import UserError
from edge.config.settings import Settings, change
from edge.mqtt.broker import Broker
from edge.mqtt.embedded_broker import EmbeddedBroker

BASE = "maskpatrolbench"
FPS = 10.0
STOP_S = 10.0
#: A broker of one's own needs neither a login nor certificates.
_PLAIN: dict[str, Any] = {
    "username": "", "password_file": "", "tls": False,
    "ca_file": "", "cert_file": "", "key_file": "", "discovery": False,
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A folder for what the daemon writes, and a broker for what it says."""

    folder: Path
    broker: Broker
    mqtt: dict[str, Any]

    def configuration(self, settings: Settings, device: str, pictures: Path) -> Path:
        """A file by which a daemon named `device` watches `pictures` at `FPS`."""
        own = change(
            settings,
            device=device,
            camera={"source": str(pictures), "fps": FPS, "zone": ()},
            outbox={"path": str(self.folder / f"{device}.sqlite3")},
            mqtt={**_PLAIN, **self.mqtt, "base": BASE, "health_interval_s": 0.5},
            metrics={"port": None},
            snapshot={"enabled": False},
        )
        config = self.folder / f"{device}.toml"
        config.write_text(as_toml(own), encoding="utf-8")
        return config


@contextmanager
def place() -> Iterator[Place]:
    """Raises UserError when there is no embedded broker."""
    if importlib.util.find_spec("amqtt") is None:
        raise UserError("it needs the embedded broker: pip install 'mask-patrol[broker]'")
    with tempfile.TemporaryDirectory(prefix="mask-patrol-bench-") as name, EmbeddedBroker() as it:
        yield Place(Path(name), Broker(it.host, it.port, version="3.1.1"), it.settings)


@contextmanager
def running(config: Path) -> Iterator[Daemon]:
    """The daemon by `config`, until `with` ends."""
    words = ["run", "--config", str(config), "--log-level", "error"]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            our_command("edge", *words), env=our_environment(), stdout=said, stderr=said
        )
        try:
            yield Daemon(process, said)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Daemon:
    """A daemon that runs."""

    def __init__(self, process: subprocess.Popen[Any], said: IO[str]) -> None:
        """`said` is the file that it writes to."""
        self._process, self._said = process, said

    @property
    def number(self) -> int:
        """The id of its process."""
        return self._process.pid

    def over(self) -> bool:
        """Whether it has ended by itself."""
        return self._process.poll() is not None

    def last_words(self) -> str | None:
        """The last line that it wrote, if it wrote anything."""
        self._said.seek(0)
        lines = self._said.read().strip().splitlines()
        return lines[-1] if lines else None
