"""Network streams that FFmpeg reads: RTSP, RTMP, HTTP, and video over UDP or TCP."""

from __future__ import annotations

from edge.camera.frame_rate_limit import FrameFilter, accept_all
from edge.camera.source import AbsentError
from edge.camera.source_address import without_password
from edge.camera.video.live_source import LiveSource
from edge.camera.video.video_decoder import NoVideoError, VideoDecoder
from edge.config.settings import CameraSettings

#: Options of FFmpeg. Packets that UDP loses would damage pictures. Cameras sign their certificates
#: themselves. The frame rate is not needed, and to measure it FFmpeg reads 20 frames.
OPTIONS = {"rtsp_flags": "prefer_tcp", "tls_verify": "0", "fpsprobesize": "0"}


def open_stream(
    url: str, settings: CameraSettings, frame_filter: FrameFilter = accept_all
) -> LiveSource:
    """Open a network stream.

    Raises AbsentError when there is no video within the time-out. A wrong password has the same
    effect: cameras report it in different ways.
    """
    name = without_password(url)
    try:
        decoder = VideoDecoder(url, settings.timeout_s, OPTIONS)
    except NoVideoError:
        raise AbsentError(
            f"no video stream at {name} within {settings.timeout_s:g} s;"
            " check the address, the password and that the camera is on"
        ) from None
    return LiveSource(decoder, name, settings.timeout_s, frame_filter=frame_filter)
