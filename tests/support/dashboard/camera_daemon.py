"""A real daemon whose camera sees one person without a mask, for the pages about the camera."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

from tests.support.camera.mjpeg_server import MjpegCamera
from tests.support.cli_process import command, environment
from tests.support.footage.pictures import frames_without_mask
from tests.support.ports import free_port
from tests.support.waiting import wait_until


def write_standing_clip(folder: Path) -> Path:
    """Write two minutes of a person without a mask in the middle of the picture."""
    path = folder / "standing.mp4"
    frames = frames_without_mask()
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (width, height))
    for number in range(1200):
        writer.write(frames[number % len(frames)])
    writer.release()
    return path


def start_daemon(folder: Path, config: Path) -> subprocess.Popen[str]:
    """Start the daemon with this configuration; its state and its log are in `folder`."""
    return subprocess.Popen(
        command(("run", "--config", config)), env=environment(folder / "state"), text=True,
        stdout=subprocess.DEVNULL, stderr=(folder / "log").open("w"),
    )  # fmt: skip


@contextmanager
def camera_with_snapshot() -> Iterator[Path]:
    """Run a daemon without a broker; yield its preview socket once it has stored a snapshot."""
    # The path of a UNIX socket must be short.
    with (
        tempfile.TemporaryDirectory(prefix="mp-") as temporary,
        MjpegCamera(frames_without_mask()) as camera,
    ):
        folder = Path(temporary)
        config = folder / "door.toml"
        config.write_text(
            f'device = "demo-door"\n[camera]\nsource = "{camera.url}"\n'
            f'preview = true\npreview_socket = "{folder}/eye"\n[snapshot]\nenabled = true\n'
            f'[mqtt]\nhost = "127.0.0.1"\nport = {free_port()}\n'
        )
        daemon = start_daemon(folder, config)
        wait_until(lambda: bool(list((folder / "state").rglob("*.jpg"))), "a snapshot")
        yield folder / "eye"
        daemon.terminate()
        assert daemon.wait(20) == 0
