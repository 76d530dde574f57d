"""`mask-patrol dashboard --demo`: runs a broker, the daemon on the bundled clip, and the dashboard.

The clip is repeated. All files are in a temporary folder, which is deleted at the end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from edge.config.settings import Settings, change
from edge.daemon.preview_server import SOCKET_NAME
from edge.dashboard.server import dashboard
from edge.mqtt.embedded_broker import EmbeddedBroker

DEVICE = "demo-door"
STOP_TIMEOUT_S = 8.0


def demo(settings: Settings) -> int:
    """Serve the demo until Ctrl-C, and return the exit code.

    Raises UserError and UsageError, as `dashboard` does.
    """
    with (
        tempfile.TemporaryDirectory(prefix="mask-patrol-demo-") as folder,
        EmbeddedBroker() as broker,
    ):
        os.environ["STATE_DIRECTORY"] = folder
        settings = change(
            settings,
            camera={"preview": True, "preview_socket": str(Path(folder) / SOCKET_NAME)},
            snapshot={"enabled": True, "path": ""},
            mqtt={**broker.settings, "tls": False, "username": "", "password_file": ""},
            dashboard={
                "password_on_loopback": False,
                "database": "",
                "shared": "",
                "mqtt_username": "",
                "mqtt_password_file": "",
                "mqtt_cert_file": "",
                "mqtt_key_file": "",
            },
        )
        sys.stdout.write(
            "The device `demo-door` repeats the demo clip as its camera. Press Ctrl-C to stop.\n"
        )
        with _RepeatedDaemon(Path(folder), settings):
            return dashboard(settings)


class _RepeatedDaemon:
    """A context manager that runs the daemon, and starts it again at the end of the clip."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        mqtt = settings.mqtt
        self._config = folder / "demo.toml"
        self._config.write_text(
            f'device = "{DEVICE}"\n[camera]\npreview = true\n'
            f"preview_socket = {json.dumps(settings.camera.preview_socket)}\n"
            f"[snapshot]\nenabled = true\n[mqtt]\n"
            f'host = "{mqtt.host}"\nport = {mqtt.port}\n'
            f'version = "{mqtt.version}"\nbase = "{mqtt.base}"\nhealth_interval_s = 5.0\n',
            encoding="utf-8",
        )
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="daemon", daemon=True)

    def __enter__(self) -> _RepeatedDaemon:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._stopped.set()
            if self._process is not None:
                self._process.terminate()
        self._thread.join(STOP_TIMEOUT_S)

    def _run(self) -> None:
        while True:
            with self._lock:
                if self._stopped.is_set():
                    return
                self._process = subprocess.Popen(
                    [
                        sys.executable, "-P", "-m", "edge", "run", "--source", "demo",
                        "--config", str(self._config), "--log-level", "error",
                    ],
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C does not stop the daemon; __exit__ does
                )  # fmt: skip
            self._process.wait()
            if self._stopped.wait(1.0):
                return
