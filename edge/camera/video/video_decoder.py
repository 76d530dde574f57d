"""Decode the video of a file or of a network stream, with FFmpeg through PyAV.

`cv2.VideoCapture` also decodes with FFmpeg, but converts all pictures as if they had the size and
the pixel format of the first one (in every version up to 4.14). Cameras change both while they
send: at night, when their settings change, or when a recorder joins two recordings. The pictures
are then torn or have wrong colours, or the process crashes.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.sidedata.sidedata import SideDataContainer
from av.sidedata.sidedata import Type as SideData
from av.stream import Discard, Disposition, Stream
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from edge.camera.orientation import UNTURNED, Orientation
from edge.camera.video.display_matrix import orientation_of
from edge.common.arrays import Pixels

#: Largest picture that is decoded: 8K (7680 x 4320). As BGR it has 100 MB; the header of a damaged
#: picture may ask for a hundred times as much.
MAX_PIXELS = 8192 * 4096
#: FFmpeg permits 1000 streams; PyAV reads one byte too far in memory for each that a file or camera
#: adds while it is played (in 18.1).
MAX_STREAMS = 32
#: Threads that decode. Each further one would delay the pictures by one frame, which is much for a
#: camera with few frames a second. By default FFmpeg uses one more than there are cores.
THREADS = 2
#: Streams that are no video but pictures about it, such as the cover of a film.
ATTACHED_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails
#: What PyAV raises for input that FFmpeg refuses: FFmpegError, or the exception of the standard
#: library that has the same meaning. It raises others for numbers and text that have no meaning.
REFUSALS = (av.error.FFmpegError, ValueError, ArithmeticError, LookupError, MemoryError)


class NoVideoError(Exception):
    """There is no video that can be decoded.

    The text is FFmpeg's reason, without the address; the cause is what PyAV raised, if it was that.
    """


class VideoDecoder:
    """The frames of the main video stream, one after the other.

    Like `cv2.VideoCapture`: `grab` decodes the next frame, and `retrieve` converts it, which
    doubles the time that a frame takes. All methods must be called in one thread.
    """

    def __init__(
        self,
        address: str,
        timeout_s: float | None = None,
        options: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open `address`, a URL of FFmpeg, with `options` of FFmpeg.

        `timeout_s` limits the connecting, the search for video, and each `grab`. Raises
        NoVideoError.
        """
        self._timeout_s = timeout_s
        self._clock = clock
        limits = {"max_pixels": str(MAX_PIXELS)}
        options = {"max_streams": str(MAX_STREAMS), **limits, **(options or {})}
        try:
            self._container = av.open(
                address, options=options, metadata_errors="replace", timeout=timeout_s
            )
        except REFUSALS as error:
            raise NoVideoError(_describe(error)) from error
        try:
            self._stream = _main_stream(self._container)
            for other in self._container.streams:
                if other is not self._stream:
                    other.discard = Discard.all  # HLS, for one, would fetch it all the same
            self._stream.codec_context.options = limits
            self._stream.codec_context.thread_type = "AUTO"
            self._stream.codec_context.thread_count = THREADS
        except (NoVideoError, *REFUSALS) as error:
            self._container.close()
            raise NoVideoError(_describe(error)) from error
        self._reformatter = VideoReformatter()
        self._packets = self._demux()
        self._decoded: deque[VideoFrame] = deque()
        self._frame: VideoFrame | None = None
        self._orientation = UNTURNED

    @property
    def fps(self) -> float:
        """Frame rate that the file states or that FFmpeg guesses; 0.0 if it is unknown."""
        return float(self._stream.guessed_rate or 0)

    @property
    def duration_s(self) -> float | None:
        """Duration of the video as the file states it; None if it is unknown."""
        stated_s = _stated_duration_s(self._stream)
        if stated_s is None and len(self._container.streams) == 1 and self._container.duration:
            stated_s = self._container.duration / av.time_base
        if stated_s is None or "matroska" not in self._container.format.name:
            return stated_s
        # A Matroska file states the time stamp of its end. A recorder that divides a recording into
        # files may continue the time stamps of the file before.
        start_s = _seconds(self._stream.start_time or 0, self._stream.time_base)
        return stated_s - start_s if 0.0 < start_s < stated_s else stated_s

    @property
    def at_s(self) -> float | None:
        """Time stamp of the newest frame, from the first one of the stream; None without one."""
        frame = self._frame
        stamp = None if frame is None else frame.dts if frame.pts is None else frame.pts
        if frame is None or stamp is None:
            return None
        return _seconds(stamp - (self._stream.start_time or 0), frame.time_base)

    @property
    def frame_duration_s(self) -> float:
        """How long the newest frame is shown; 0.0 if it is unknown."""
        frame = self._frame
        return _seconds(frame.duration or 0, frame.time_base) if frame is not None else 0.0

    def grab(self) -> bool:
        """Decode the next frame; return False at the end, after a time-out, and if it is lost.

        Data that cannot be decoded is skipped.
        """
        self._frame = None
        started_s = self._clock()
        while not self._decoded:
            try:
                packet = next(self._packets)
            except StopIteration:
                return False
            except REFUSALS:
                self._packets = self._demux()  # an error ends the iterator, but not the connection
                return False
            if packet.stream.index == self._stream.index:
                # The packet after a damaged one may be whole.
                with contextlib.suppress(*REFUSALS):
                    self._decoded.extend(cast("list[VideoFrame]", packet.decode()))
            if self._timeout_s is not None and self._clock() - started_s > self._timeout_s:
                break
        if not self._decoded:
            return False
        self._frame = self._decoded.popleft()
        self._follow_mark(self._frame)
        return True

    def retrieve(self) -> Pixels | None:
        """Return the frame that was grabbed, or None if it cannot be converted to a picture.

        It is (height, width, 3) uint8 BGR, and upright if the video is marked as turned.
        """
        if self._frame is None:
            return None
        try:
            image = self._reformatter.reformat(self._frame, format="bgr24", threads=1).to_ndarray()
        except REFUSALS:
            return None
        return self._orientation.apply(np.asarray(image, np.uint8))

    def _follow_mark(self, frame: VideoFrame) -> None:
        """Follow the marks of the stream: H.264 may change them with each key frame."""
        mark = _mark_of(frame)
        if mark is not None:
            self._orientation = mark
        elif frame.key_frame:
            self._orientation = UNTURNED

    def _demux(self) -> Iterator[Packet[Stream]]:
        # All streams, so that `grab` checks the time also while only sound arrives.
        return self._container.demux()

    def release(self) -> None:
        """Close the file or the connection; a second call does nothing."""
        self._decoded.clear()
        self._frame = None
        with contextlib.suppress(*REFUSALS):
            self._container.close()


def _main_stream(container: InputContainer) -> VideoStream:
    """Return the video stream with the largest pictures; the others are thumbnails or previews.

    A stream that lasts less than half as long as another one is a cover or an introduction. Of
    pictures of the same size, the stream with more pictures per second is returned. Raises
    NoVideoError if no stream can be decoded.
    """
    streams = [stream for stream in container.streams.video if _is_video(stream)]
    if not streams:
        raise NoVideoError("it has no video that can be decoded")
    longest_s = max(_stated_duration_s(stream) or 0.0 for stream in streams)

    def rank(stream: VideoStream) -> tuple[bool, bool, int, float]:
        duration_s, context = _stated_duration_s(stream), stream.codec_context
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


def _mark_of(frame: VideoFrame) -> Orientation | None:
    """Return how the mark of `frame` says to turn it; None if it has no mark."""
    try:
        # `frame.side_data` would keep the container in the frame, and the frame in the container,
        # so that no frame would ever be freed (PyAV 18.1).
        data = SideDataContainer(frame)  # type: ignore[call-arg]
        mark = data.get(SideData.DISPLAYMATRIX)
    except ValueError:
        # PyAV returns nothing if one of the data is of a kind that it does not know (in 18.1): EXIF
        # in the pictures of an MJPEG, or the display of a stereoscopic video. The angle is
        # counterclockwise, and says nothing of a mirror.
        return Orientation(round(-frame.rotation / 90) % 4) if frame.rotation else None
    return None if mark is None else orientation_of(bytes(mark))


def _seconds(stamp: int, time_base: Fraction | None) -> float:
    return float(stamp * time_base) if time_base else 0.0


def _stated_duration_s(stream: VideoStream) -> float | None:
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


def _describe(error: BaseException) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error).split())
