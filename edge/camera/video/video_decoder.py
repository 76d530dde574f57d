"""Decode the video of a file or of a network stream, with FFmpeg through PyAV.

`cv2.VideoCapture` also decodes with FFmpeg, but converts all pictures as if they had the size and
the pixel format of the first one (in every version up to 4.14). Cameras change both while they
send: at night, when their settings change, or when a recorder joins two recordings. The pictures
are then torn or have wrong colours, or the process crashes.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import cast

import av
import numpy as np
from av.packet import Packet
from av.sidedata.sidedata import SideDataContainer
from av.sidedata.sidedata import Type as SideData
from av.stream import Discard, Stream
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from edge.camera.orientation import UNTURNED, Orientation
from edge.camera.video.capture import ChangedError
from edge.camera.video.codec_signature import FAMILIES, SIGNATURE_BYTES, codec_family
from edge.camera.video.display_matrix import orientation_of
from edge.camera.video.main_stream import (
    NoVideoError,
    main_stream,
    seconds,
    stated_duration_s,
)
from edge.camera.video.pixel_shape import square_size_px
from edge.camera.video.undecoded_packets import UndecodedPackets
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
#: So many packets in a row that give no frame, after others did, cannot be decoded: they have
#: another codec or another key. A decoder delays up to 16 frames, which may have two packets each.
MAX_UNDECODED = 50
#: What PyAV raises for input that FFmpeg refuses: FFmpegError, or the exception of the standard
#: library that has the same meaning. It raises others for numbers and text that have no meaning.
REFUSALS = (av.error.FFmpegError, ValueError, ArithmeticError, LookupError, MemoryError)


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
        demuxing = {"max_streams": str(MAX_STREAMS), "merge_pmt_versions": "1"}
        options = {**demuxing, **limits, **(options or {})}
        try:
            self._container = av.open(
                address, options=options, metadata_errors="replace", timeout=timeout_s
            )
        except REFUSALS as error:
            raise NoVideoError(_describe(error)) from error
        try:
            self._stream = main_stream(self._container)
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
        # Codecs in a container that describes them cannot change, and have no start codes.
        context = self._stream.codec_context
        has_start_codes = (context.extradata or b"")[:1] != b"\1"
        self._family = FAMILIES.get(context.codec.canonical_name) if has_start_codes else None
        self._undecoded = UndecodedPackets()
        self._change: tuple[str, int | None] | None = None

    @property
    def format_names(self) -> tuple[str, ...]:
        """The names that FFmpeg has for the format of the file or stream, such as `mpegts`."""
        return tuple(self._container.format.name.split(","))

    @property
    def undecoded(self) -> UndecodedPackets:
        """The packets that were not decoded; complete at the end of the file."""
        return self._undecoded

    @property
    def fps(self) -> float:
        """Frame rate that the file states or that FFmpeg guesses; 0.0 if it is unknown."""
        return float(self._stream.guessed_rate or 0)

    @property
    def duration_s(self) -> float | None:
        """Duration of the video as the file states it; None if it is unknown."""
        stated_s = stated_duration_s(self._stream)
        if stated_s is None and len(self._container.streams) == 1 and self._container.duration:
            stated_s = self._container.duration / av.time_base
        if stated_s is None or "matroska" not in self._container.format.name:
            return stated_s
        # A Matroska file states the time stamp of its end. A recorder that divides a recording into
        # files may continue the time stamps of the file before.
        start_s = seconds(self._stream.start_time or 0, self._stream.time_base)
        return stated_s - start_s if 0.0 < start_s < stated_s else stated_s

    @property
    def at_s(self) -> float | None:
        """Time stamp of the newest frame, from the first one of the stream; None without one."""
        frame = self._frame
        stamp = None if frame is None else frame.dts if frame.pts is None else frame.pts
        if frame is None or stamp is None:
            return None
        return seconds(stamp - (self._stream.start_time or 0), frame.time_base)

    @property
    def frame_duration_s(self) -> float:
        """How long the newest frame is shown; 0.0 if it is unknown."""
        frame = self._frame
        return seconds(frame.duration or 0, frame.time_base) if frame is not None else 0.0

    def grab(self) -> bool:
        """Decode the next frame; return False at the end, after a time-out, and if it is lost.

        Data that cannot be decoded is skipped. Raises ChangedError if what follows has another
        codec, or cannot be decoded for another reason; a further call continues nevertheless.
        """
        self._frame = None
        started_s = self._clock()
        while not self._decoded:
            if self._change is not None:
                (reason, at), self._change = self._change, None
                # Not a stored exception: a variable with the exception would keep this decoder and
                # its threads until Python searches for cycles.
                raise ChangedError(reason, at)
            try:
                packet = next(self._packets)
            except StopIteration:
                return False
            except REFUSALS:
                self._packets = self._demux()  # an error ends the iterator, but not the connection
                return False
            if packet.stream.index == self._stream.index:
                self._decode(packet)
            if self._timeout_s is not None and self._clock() - started_s > self._timeout_s:
                break
        if not self._decoded:
            return False
        self._frame = self._decoded.popleft()
        self._follow_mark(self._frame)
        return True

    def retrieve(self) -> Pixels | None:
        """Return the frame that was grabbed, or None if it cannot be converted to a picture.

        It is (height, width, 3) uint8 BGR, upright if the video is marked as turned, and has square
        pixels: a video may state that its pixels are wider or narrower, which would distort faces.
        """
        if self._frame is None:
            return None
        context = self._stream.codec_context
        shape = context.sample_aspect_ratio or self._stream.sample_aspect_ratio
        width, height = square_size_px(self._frame.width, self._frame.height, shape, MAX_PIXELS)
        try:
            image = self._reformatter.reformat(
                self._frame, width, height, format="bgr24", threads=1
            ).to_ndarray()
        except REFUSALS:
            return None
        return self._orientation.apply(np.asarray(image, np.uint8))

    def _decode(self, packet: Packet[Stream]) -> None:
        family = codec_family(bytes(memoryview(packet)[:SIGNATURE_BYTES])) if packet.size else None
        if self._family and family not in (None, self._family):
            self._family = family
            self._end_part("has changed the codec of its video", self._undecoded.previous_at)
            return
        frames: list[VideoFrame] = []
        # The packet after a damaged one may be whole.
        with contextlib.suppress(*REFUSALS):
            frames = cast("list[VideoFrame]", packet.decode())
        self._decoded.extend(frames)
        if not packet.is_discard:  # as in the cut parts of an edited MP4
            self._undecoded.add(packet.size, packet.pos, len(frames))
        if self._undecoded.count >= MAX_UNDECODED:
            self._end_part("sends video that cannot be decoded any more", self._undecoded.at)

    def _end_part(self, reason: str, at: int | None) -> None:
        """Let `grab` return the frames that the decoder has delayed, and then report a change."""
        context = self._stream.codec_context
        with contextlib.suppress(*REFUSALS):
            self._decoded.extend(context.decode(None))
            context.flush_buffers()
        self._change = (reason, at)
        self._undecoded = UndecodedPackets()

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


def _describe(error: BaseException) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error).split())
