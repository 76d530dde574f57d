"""Which of the streams in a file or connection is the video that is played."""

from __future__ import annotations

import re
from fractions import Fraction

from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

#: Streams that are no video but pictures about it, such as the cover of a film.
ATTACHED_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails


class NoVideoError(Exception):
    """There is no video that can be decoded.

    The text is FFmpeg's reason, without the address; the cause is what PyAV raised, if it was that.
    """


def main_stream(container: InputContainer) -> VideoStream:
    """Return the video stream with the largest pictures; the others are thumbnails or previews.

    A stream that lasts less than half as long as another one is a cover or an introduction. Of
    pictures of the same size, the stream with more pictures per second is returned. Raises
    NoVideoError if no stream can be decoded.
    """
    streams = [stream for stream in container.streams.video if _is_video(stream)]
    if not streams:
        raise NoVideoError("it has no video that can be decoded")
    longest_s = max(stated_duration_s(stream) or 0.0 for stream in streams)

    def rank(stream: VideoStream) -> tuple[bool, bool, int, float]:
        duration_s, context = stated_duration_s(stream), stream.codec_context
        return (
            stream.frames != 1,
            duration_s is None or duration_s >= longest_s / 2.0,
            context.width * context.height,
            float(stream.average_rate or 0),
        )

    return max(streams, key=rank)


def _is_video(stream: VideoStream) -> bool:
    context = stream.codec_context
    is_attached = bool(stream.disposition & ATTACHED_PICTURES)
    return not is_attached and context is not None and context.is_decoder


def seconds(stamp: int, time_base: Fraction | None) -> float:
    """Return a time stamp in seconds."""
    return float(stamp * time_base) if time_base else 0.0


def stated_duration_s(stream: VideoStream) -> float | None:
    """Return the duration that the file states for `stream`; None if it states none.

    A Matroska file states it in a tag; what FFmpeg returns besides may be that of the whole file.
    """
    tag_s = _tag_seconds(stream.metadata.get("DURATION", ""))
    if tag_s is None and stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return tag_s


def _tag_seconds(tag: str) -> float | None:
    """Return the seconds of a tag such as `00:01:02.500000000`; None if it is none."""
    found = re.fullmatch(r"(\d{1,4}):(\d\d):(\d\d(?:\.\d+)?)", tag.strip("\0 "))
    return 3600.0 * int(found[1]) + 60.0 * int(found[2]) + float(found[3]) if found else None
