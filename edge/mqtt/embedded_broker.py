"""The embedded broker: amqtt on loopback, in its own process.

It is meant for first runs and for development without a broker. The embedded broker stores nothing
across a restart and supports no passwords. An installed device needs a broker such as mosquitto,
which the configuration names.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib.util
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from typing import Any

from edge.common.errors import UsageError, UserError
from edge.common.paths import PACKAGE
from edge.config.settings import MqttSettings
from edge.mqtt.broker import DEFAULT_PORT

LOOPBACK = "127.0.0.1"
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 3.0
#: How many other ports are tried if the chosen one is taken before the process uses it.
MAX_OTHER_PORTS = 3


class EmbeddedBroker:
    """A broker process that runs until the `with` block or this process ends."""

    def __init__(self, port: int | None = None) -> None:
        """Choose the port; the process starts with the `with` block.

        If `port` is None, port 1883 is used if it is free, else any free port. Raises UserError
        when a given `port` is not free, or when amqtt is not installed.
        """
        if importlib.util.find_spec("amqtt") is None:
            raise UserError(
                "no broker is configured and the embedded one is not installed: name one with"
                " --broker HOST[:PORT], or pip install '.[broker]' in a clone of the repository"
            )
        self.host = LOOPBACK
        self.port = _free_port(port)
        self._is_port_given = port is not None

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of `[mqtt]` that connect to this broker; amqtt supports MQTT 3.1.1 only."""
        return {"host": self.host, "port": self.port, "version": "3.1.1"}

    def __enter__(self) -> EmbeddedBroker:
        failure = self._start()
        for _ in range(MAX_OTHER_PORTS):
            # Another program, such as a second daemon, may have taken the port in the meantime.
            if self._is_port_given or f"[Errno {errno.EADDRINUSE}]" not in failure:
                break
            self.port = _free_port(None)
            failure = self._start()
        if failure:
            raise UserError(f"the embedded broker failed on {self.host}:{self.port}: {failure}")
        return self

    def _start(self) -> str:
        """Start the process; return why it failed, or an empty text once it accepts clients."""
        # A file instead of a pipe: a pipe that is not read would fill up and block the broker.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - in use as long as the process
        # The process runs in its own session, so that Ctrl-C is sent only to us and we stop it
        # last. Its standard input is a pipe that closes when this process ends for any reason.
        self._process = subprocess.Popen(
            # -P and PYTHONPATH: our own package is found, modules in the user's folder are not.
            [sys.executable, "-P", "-m", "edge.mqtt.embedded_broker", str(self.port)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(_import_path())},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            start_new_session=True,
        )
        if self._wait_until_ready():
            return ""
        self.__exit__()
        self._stderr.seek(0)
        output = self._stderr.read().decode(errors="replace").strip()
        return output.splitlines()[-1] if output else "it did not start in time"

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            if self._process.stdin:
                self._process.stdin.close()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait_until_ready(self) -> bool:
        """Wait for the line `ready`; return False if the process ends or the time is up."""
        stdout = self._process.stdout
        assert stdout is not None
        timer = threading.Timer(START_TIMEOUT_S, self._process.kill)
        timer.start()
        try:
            return stdout.readline().strip() == b"ready"
        finally:
            timer.cancel()


def embedded_broker(settings: MqttSettings) -> EmbeddedBroker:
    """Return the broker to start when `[mqtt]` names none; raises UsageError if TLS is set."""
    if settings.tls:
        raise UsageError(
            "`mqtt.tls` is true and no broker is configured; the embedded broker does not support"
            " TLS: set mqtt.host"
        )
    return EmbeddedBroker(settings.port)


def _import_path() -> list[str]:
    given = os.environ.get("PYTHONPATH")
    return [str(PACKAGE.parent), *([given] if given else [])]


def _free_port(wanted: int | None) -> int:
    for port in (wanted,) if wanted else (DEFAULT_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError as error:
                if wanted and error.errno == errno.EADDRINUSE:
                    raise UserError(
                        f"port {port} on {LOOPBACK} is in use: if that is your broker, name it"
                        f" with --broker {LOOPBACK}:{port}; if not, choose another mqtt.port"
                    ) from None
                if wanted:
                    raise UserError(f"cannot listen on port {port}: {error.strerror}") from None
                continue
            return int(probe.getsockname()[1])
    raise UserError(f"no free port on {LOOPBACK} for the embedded broker")


async def serve(port: int) -> None:
    """Run the broker on loopback until standard input closes."""
    from amqtt.broker import Broker

    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"{LOOPBACK}:{port}"}},
            "plugins": {
                "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}
            },
        }
    )
    await broker.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await broker.shutdown()


def main() -> None:
    """Entry point of the broker's process."""
    logging.basicConfig(level=logging.ERROR)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(serve(int(sys.argv[1])))
    # amqtt leaves tasks running, which a normal exit would wait for.
    os._exit(0)


if __name__ == "__main__":
    main()
