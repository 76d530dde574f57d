"""From what a user writes as a source to the source itself."""

from __future__ import annotations

from pathlib import Path

from edge.camera import Source, SourceError
from edge.config import CameraSettings
from edge.paths import demo_clip

STREAM_SCHEMES = ("rtsp", "rtsps", "rtmp", "http", "https", "udp", "tcp")


def open_source(settings: CameraSettings) -> Source:
    """Open `settings.source`: `demo`, a camera's device, a stream's address, a file or a folder.

    Raises SourceError (one line, with what to do) when it cannot be opened.
    """
    spec = f"/dev/video{settings.source}" if settings.source.isdigit() else settings.source
    # Each kind is imported when it is asked for: a camera needs no file decoder.
    scheme, separator, _ = spec.partition("://")
    if separator and scheme in STREAM_SCHEMES:
        from edge.camera.live import open_stream

        return open_stream(spec, settings)
    if separator:
        raise SourceError(
            f"unknown kind of address {scheme}://; expected {', '.join(STREAM_SCHEMES)}"
        )
    path = demo_clip() if spec == "demo" else Path(spec).expanduser()
    if spec.startswith("/dev/"):
        from edge.camera.live import open_v4l2

        return open_v4l2(path, settings)
    from edge.camera.files import PictureFolder, VideoFile

    if path.is_dir():
        return PictureFolder(path, settings.fps)
    return VideoFile(path)
