"""Open the source that the settings name."""

from __future__ import annotations

import re

from edge.camera.adjusted_source import AdjustedSource
from edge.camera.controls.unsupported_controls import UnsupportedControls
from edge.camera.frame_rate_limit import (
    BURST,
    FrameFilter,
    FrameRateBudget,
    FrameRateLimit,
    accept_all,
)
from edge.camera.source import AbsentError, Source, SourceError
from edge.camera.source_address import (
    full_spec,
    is_device,
    picamera2_number,
)
from edge.camera.stream_address import DECODED_HINT, LOGIN_SCHEMES, parse_stream_address
from edge.common.hidden_passwords import lacks_scheme
from edge.common.paths import demo_clip, exists, kind_of, user_path
from edge.config.settings import CameraSettings

STREAM_SCHEMES = ("rtsp", "rtsps", "rtmp", "http", "https", "udp", "tcp")


def is_recorded(settings: CameraSettings) -> bool:
    """Return whether the source is a file or folder, which ends and can be played at any speed."""
    spec = full_spec(settings.source)
    if "://" in spec or is_device(spec) or picamera2_number(spec) is not None:
        return False
    return spec == "demo" or kind_of(user_path(spec)) != "camera"


def frame_rate_limit(settings: CameraSettings, budget: FrameRateBudget) -> FrameRateLimit:
    """Return a filter that limits the frame rate to `settings.fps` times the share of `budget`.

    A frame of a live source is accepted at least twice per time-out, so that a low frame rate is
    never mistaken for a source that stalls.
    """
    if is_recorded(settings):
        return FrameRateLimit(settings.fps, budget)
    return FrameRateLimit(settings.fps, budget, settings.timeout_s / 2.0, BURST)


def open_source(
    settings: CameraSettings,
    frame_filter: FrameFilter = accept_all,
    luma_width_px: int = 320,
    unsupported: UnsupportedControls | None = None,
) -> AdjustedSource:
    """Open `settings.source`.

    This setting is `demo`, a camera, the address of a stream, a video file, a picture, or a folder
    of pictures. The source delivers the frames that `frame_filter` accepts, turned as `settings`
    say. `luma_width_px` is the width of the luma plane, if the camera provides one. `unsupported`
    logs the controls that the source does not support; pass the same one each time a source is
    opened again. Raises SourceError (one line that says what to do) when the source cannot be
    opened; AbsentError when a later attempt may succeed.
    """
    source = _open_unturned(settings, frame_filter, luma_width_px)
    return AdjustedSource(source, settings, unsupported or UnsupportedControls())


def _open_unturned(
    settings: CameraSettings, frame_filter: FrameFilter, luma_width_px: int
) -> Source:
    """Open `settings.source`, whose frames are turned only as far as the camera itself does it."""
    spec = full_spec(settings.source)
    # Each module is imported only when needed: a camera does not need the file decoder.
    scheme, separator, _ = spec.partition("://")
    scheme = scheme.lower()
    if separator and scheme in STREAM_SCHEMES:
        return _open_network_source(scheme + spec[len(scheme) :], settings, frame_filter)
    if separator:
        # What stands before :// may be a password, if the address is written wrongly.
        name = f"scheme {scheme}://" if re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme) else "scheme"
        raise SourceError(f"unsupported address {name}; expected {', '.join(STREAM_SCHEMES)}")
    number = picamera2_number(spec)
    if number is not None:
        from edge.camera.picamera2 import open_picamera2

        return open_picamera2(number, settings, frame_filter, luma_width_px)
    path = demo_clip() if spec == "demo" else user_path(spec)
    if lacks_scheme(spec) and not exists(path):
        raise SourceError(
            "the source looks like an address, but has no scheme: begin it with rtsp:// or http://"
        )
    kind = kind_of(path)
    if kind == "camera" or is_device(spec):
        from edge.camera.video.opencv_live import open_v4l2

        return open_v4l2(path, settings, frame_filter)
    from edge.camera.pictures.picture_list import is_picture_file
    from edge.camera.video.recordings import PictureFolder, VideoFile

    if kind == "folder" or is_picture_file(path):
        return PictureFolder(path, settings.fps, frame_filter)
    return VideoFile(path, frame_filter)


def _open_network_source(url: str, settings: CameraSettings, frame_filter: FrameFilter) -> Source:
    from edge.camera.video.network_stream import open_stream

    if url.partition("://")[0] not in LOGIN_SCHEMES:
        return open_stream(url, settings, frame_filter)
    address = parse_stream_address(url)
    if address.scheme in ("http", "https"):
        from edge.camera.http.http_camera import open_http

        pictures = open_http(address, settings, frame_filter)
        if pictures is not None:
            return pictures
    try:
        return open_stream(address.url, settings, frame_filter)
    except AbsentError as error:
        if address.login is None or not address.login.decoded:
            raise
        hint = f"{error}; in the user name and the password {DECODED_HINT}"
        raise AbsentError(hint) from None
