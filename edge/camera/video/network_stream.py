"""Network streams that FFmpeg reads: RTSP, RTMP, HTTP, and video over UDP or TCP."""

from __future__ import annotations

import av

from edge.camera.frame_rate_limit import FrameFilter, accept_all
from edge.camera.source import AbsentError
from edge.camera.video.live_source import LiveSource
from edge.camera.video.main_stream import NoVideoError
from edge.camera.video.video_decoder import VideoDecoder
from edge.common.hidden_passwords import without_password
from edge.config.settings import CameraSettings

#: Options of FFmpeg. Packets that UDP loses would damage pictures. Cameras sign their certificates
#: themselves. The frame rate is not needed, and to measure it FFmpeg reads 20 frames.
OPTIONS = {"rtsp_flags": "prefer_tcp", "tls_verify": "0", "fpsprobesize": "0"}
CHECK = "check the address, the password and that the camera is on"
#: What to say about the errors of FFmpeg that have a known cause.
REASONS: dict[type[Exception], str] = {
    av.error.ConnectionRefusedError: (
        "it refuses the connection; check the address and that the camera is on"
    ),
    av.error.HTTPUnauthorizedError: "it refuses the user name or the password",
    av.error.HTTPForbiddenError: (
        "it does not permit this stream (403); check the address and the rights of the user"
    ),
    av.error.HTTPNotFoundError: "it knows no such stream (404); check the path of the address",
    av.error.HTTPOtherClientError: f"it refuses the request; {CHECK}",
    av.error.HTTPServerError: "it answers with an error; is it starting, or serves another client?",
}


def open_stream(
    url: str, settings: CameraSettings, frame_filter: FrameFilter = accept_all
) -> LiveSource:
    """Open a network stream.

    Raises AbsentError when there is no video within the time-out, or if the camera refuses.
    """
    name = without_password(url)
    try:
        decoder = VideoDecoder(url, settings.timeout_s, OPTIONS)
    except NoVideoError as error:
        raise AbsentError(f"no video stream at {name}: {_reason(error, url)}") from None
    return LiveSource(decoder, name, settings.timeout_s, frame_filter=frame_filter)


def _reason(error: NoVideoError, url: str) -> str:
    cause = error.__cause__
    if isinstance(cause, av.error.HTTPUnauthorizedError) and "@" not in url:
        return (
            "it asks for a user name and a password; write them into the address:"
            f" {url.partition('://')[0]}://user:password@host/path"
        )
    # FFmpeg reports a time-out, an unknown host and other faults in the same ways.
    known = (text for kind, text in REASONS.items() if isinstance(cause, kind))
    return next(known, f"no video arrived; {CHECK}")
