"""From what a user writes as a source to the source itself."""

from __future__ import annotations

from edge.camera import Source, SourceError
from edge.config import CameraSettings
from edge.paths import demo_clip, kind_of, user_path

STREAM_SCHEMES = ("rtsp", "rtsps", "rtmp", "http", "https", "udp", "tcp")


def open_source(settings: CameraSettings) -> Source:
    """Open `settings.source`: `demo`, a camera's device, a stream's address, a file or a folder.

    Raises SourceError (one line, with what to do) when it cannot be opened.
    """
    spec = f"/dev/video{settings.source}" if settings.source.isdigit() else settings.source
    # Each kind is imported when it is asked for: a camera needs no file decoder.
    scheme, separator, _ = spec.partition("://")
    scheme = scheme.lower()
    if separator and scheme in STREAM_SCHEMES:
        from edge.camera.live import open_stream

        return open_stream(scheme + spec[len(scheme) :], settings)
    if separator:
        raise SourceError(
            f"unknown kind of address {scheme}://; expected {', '.join(STREAM_SCHEMES)}"
        )
    path = demo_clip() if spec == "demo" else user_path(spec)
    kind = kind_of(path)
    if kind == "camera" or spec.startswith("/dev/video"):
        from edge.camera.live import open_v4l2

        return open_v4l2(path, settings)
    from edge.camera.files import PictureFolder, VideoFile

    if kind == "folder":
        return PictureFolder(path, settings.fps)
    return VideoFile(path)
