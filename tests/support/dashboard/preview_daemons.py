"""The part of the daemon that the Camera page talks to, without a camera and a loop."""

from __future__ import annotations

from pathlib import Path

from edge.config.settings import load_settings
from edge.daemon.camera_file import CameraFile
from edge.daemon.controls import Controls
from edge.daemon.preview_server import PreviewServer, PreviewSettings, socket_path
from edge.daemon.snapshot_store import SnapshotStore


class PreviewDaemon:
    """A real preview server for a settings file; the test decides when a reload happens."""

    def __init__(self, config: Path) -> None:
        """Use `config`, and save to `camera.toml` in its folder."""
        self.controls = Controls()
        self.camera_file = CameraFile(config.with_name("camera.toml"), config)
        self.settings = self.camera_file.load()
        self._server = PreviewServer(
            socket_path(load_settings(config).camera),
            lambda: None,
            PreviewSettings(self.controls, lambda: self.settings, self.camera_file),
            SnapshotStore(self.settings.snapshot),
        )

    def reload(self, refusal: str = "") -> None:
        """Do what the loop does after a request; with `refusal`, as if the reload was refused."""
        self.controls.begin_reload()
        if not refusal:
            self.settings = self.camera_file.load()
        self.controls.end_reload(refusal)

    def __enter__(self) -> PreviewDaemon:
        self._server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__()
