"""From what a user writes as a source to the source itself."""

from __future__ import annotations

from edge.camera.frame_rate_limit import BURST, FrameRateBudget, FrameRateLimit, Wants, every
from edge.camera.source import Source, SourceError
from edge.camera.source_address import full_spec, is_device, picamera2_number
from edge.common.paths import demo_clip, kind_of, user_path
from edge.config.settings import CameraSettings

STREAM_SCHEMES = ("rtsp", "rtsps", "rtmp", "http", "https", "udp", "tcp")


def is_recorded(settings: CameraSettings) -> bool:
    """Whether the source ends by itself and can be played at any speed: a file or a folder."""
    spec = full_spec(settings.source)
    if "://" in spec or is_device(spec) or picamera2_number(spec) is not None:
        return False
    return spec == "demo" or kind_of(user_path(spec)) != "camera"


def frame_rate_limit(settings: CameraSettings, allowance: FrameRateBudget) -> FrameRateLimit:
    """The frame rate that `settings` and `allowance` leave; a live source is never left alone for
    so long that it would pass for one that stalls."""
    if is_recorded(settings):
        return FrameRateLimit(settings.fps, allowance)
    return FrameRateLimit(settings.fps, allowance, settings.timeout_s / 2.0, BURST)


def open_source(settings: CameraSettings, wants: Wants = every, searched_px: int = 320) -> Source:
    """Open `settings.source`: `demo`, a camera, a stream's address, a file or a folder, for those
    of its frames that are wanted. `searched_px`: how wide a luma plane is of use, where the
    camera makes one.

    Raises SourceError (one line, with what to do) when it cannot be opened; AbsentError when
    it is worth trying again.
    """
    spec = full_spec(settings.source)
    # Each kind is imported when it is asked for: a camera needs no file decoder.
    scheme, separator, _ = spec.partition("://")
    scheme = scheme.lower()
    if separator and scheme in STREAM_SCHEMES:
        from edge.camera.opencv_live import open_stream

        return open_stream(scheme + spec[len(scheme) :], settings, wants)
    if separator:
        raise SourceError(
            f"unknown kind of address {scheme}://; expected {', '.join(STREAM_SCHEMES)}"
        )
    number = picamera2_number(spec)
    if number is not None:
        from edge.camera.picamera2 import open_picamera2

        return open_picamera2(number, settings, wants, searched_px)
    path = demo_clip() if spec == "demo" else user_path(spec)
    kind = kind_of(path)
    if kind == "camera" or is_device(spec):
        from edge.camera.opencv_live import open_v4l2

        return open_v4l2(path, settings, wants)
    from edge.camera.recordings import PictureFolder, VideoFile

    if kind == "folder":
        return PictureFolder(path, settings.fps, wants)
    return VideoFile(path, wants)
