"""The embedded broker: amqtt on loopback, in a process of its own.

It serves first runs and desks without a broker. It keeps nothing over a restart and
knows no passwords: a door wants mosquitto, and names it in the configuration.
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


class EmbeddedBroker:
    """A broker process that lives as long as the `with` block, or this process."""

    def __init__(self, port: int | None = None) -> None:
        """`port` None: the usual one if it is free, else any; a given one must be free."""
        if importlib.util.find_spec("amqtt") is None:
            raise UserError(
                "no broker is configured and the embedded one is not installed: name one with"
                " --broker HOST[:PORT], or pip install 'mask-patrol[broker]'"
            )
        self.host = LOOPBACK
        self.port = _free_port(port)

    @property
    def settings(self) -> dict[str, Any]:
        """What `[mqtt]` must say to reach it: amqtt speaks 3.1.1 only."""
        return {"host": self.host, "port": self.port, "version": "3.1.1"}

    def __enter__(self) -> EmbeddedBroker:
        # A file, as a pipe that nobody reads would fill up and stop the broker.
        self._said = tempfile.TemporaryFile()
        # Its own session, so that Ctrl-C reaches us alone and we stop it last; its
        # standard input is a pipe that closes when we die, however we die.
        self._process = subprocess.Popen(
            # -P and the path: our own package is found, and nothing in the user's folder is.
            [sys.executable, "-P", "-m", "edge.mqtt.embedded_broker", str(self.port)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(_import_path())},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            start_new_session=True,
        )
        if not self._is_ready():
            self.__exit__()
            self._said.seek(0)
            said = self._said.read().decode(errors="replace")
            reason = said.strip().splitlines()[-1] if said.strip() else "it did not start in time"
            raise UserError(f"the embedded broker failed on {self.host}:{self.port}: {reason}")
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            if self._process.stdin:
                self._process.stdin.close()
        try:
            self._process.wait(3.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _is_ready(self) -> bool:
        """Whether the process says so before it ends or the time is up."""
        stdout = self._process.stdout
        assert stdout is not None
        patience = threading.Timer(START_TIMEOUT_S, self._process.kill)
        patience.start()
        try:
            return stdout.readline().strip() == b"ready"
        finally:
            patience.cancel()


def embedded_broker(settings: MqttSettings) -> EmbeddedBroker:
    """The one to start when `[mqtt]` names none; raises UsageError for what it cannot do."""
    if settings.tls:
        raise UsageError(
            "`mqtt.tls` is true and no broker is configured; the embedded one speaks no TLS:"
            " set mqtt.host"
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
                        f"port {port} on {LOOPBACK} is taken: if that is your broker, name it with"
                        f" --broker {LOOPBACK}:{port}; if not, choose another mqtt.port"
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
    # amqtt leaves tasks behind that would only be waited for.
    os._exit(0)


if __name__ == "__main__":
    main()
