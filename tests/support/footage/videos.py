"""Writes videos of unusual kinds, with FFmpeg through PyAV."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.bitstream import BitStreamFilterContext
from av.stream import Disposition
from av.video.stream import VideoStream

from edge.common.arrays import Pixels

#: Subsamplings of the colours in a JPEG; "grey" is a JPEG without colours.
SUBSAMPLINGS = {
    "444": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    "422": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "420": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    "440": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440,
    "411": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411,
}
JPEG_KINDS = (*SUBSAMPLINGS, "grey")


def encode_jpeg(image: Pixels, kind: str = "420", quality: int = 92) -> bytes:
    """Return `image` as a JPEG of one of `JPEG_KINDS`."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    if kind == "grey":
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
    else:
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SUBSAMPLINGS[kind]]
    return cv2.imencode(".jpg", image, options)[1].tobytes()


def write_mjpeg(path: Path, jpegs: Iterable[bytes], fps: int = 15) -> Path:
    """Write `jpegs` as they are into a video; the suffix of `path` selects the container."""
    with av.open(str(path), "w") as output:
        stream: VideoStream | None = None
        for index, jpeg in enumerate(jpegs):
            if stream is None:
                image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
                assert image is not None
                stream = _add_stream(output, "mjpeg", image.shape[:2], fps, "yuvj420p")
            packet = av.Packet(jpeg)
            packet.stream, packet.time_base = stream, Fraction(1, fps)
            packet.pts = packet.dts = index
            packet.is_keyframe = True
            output.mux(packet)
    return path


def write_video(
    path: Path,
    images: Sequence[Pixels],
    times_s: Sequence[float] | None = None,
    codec: str = "libx264",
    fps: int = 15,
    rotation_deg: int = 0,
    thumbnails: Sequence[Pixels] = (),
    pixel_format: str = "yuv420p",
    thumbnail_fps: int = 0,
    options: Mapping[str, str] | None = None,
    pixel_shape: Fraction | None = None,
) -> Path:
    """Write `images` as a video, shown at `times_s` (default: `fps` pictures a second).

    `rotation_deg` is written as the mark by which players turn the video, counterclockwise.
    `thumbnails` become another video stream, which is the first of the file, with `thumbnail_fps`
    pictures a second (default: `fps`). `options` are those of FFmpeg for the container.
    `pixel_shape` is the width of a pixel divided by its height, as the video states it.
    """
    with av.open(str(path), "w", options=dict(options or {})) as output:
        small, small_fps = None, fps
        if thumbnails:
            small_fps = thumbnail_fps or fps
            small = _add_stream(output, codec, thumbnails[0].shape[:2], small_fps, pixel_format)
        main = _add_stream(output, codec, images[0].shape[:2], fps, pixel_format)
        if pixel_shape:
            main.codec_context.sample_aspect_ratio = pixel_shape
        if rotation_deg:
            main.set_display_rotation(rotation_deg)
        for stream, pictures in ((small, thumbnails), (main, images)):
            if stream is None:
                continue
            for index, image in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(image, format="bgr24")
                rate = small_fps if stream is small else fps
                at_s = index / rate if times_s is None else times_s[index]
                frame.pts, frame.time_base = round(at_s * 1000), Fraction(1, 1000)
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
    return path


def join_files(path: Path, *parts: Path) -> Path:
    """Write the contents of `parts` one after the other to `path`, as `cat` does."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def trim_mp4(clip: Path, path: Path, duration_s: float) -> Path:
    """Copy an MP4 to `path`, as phones trim it: the edit list shows only its first `duration_s`."""
    data = bytearray(clip.read_bytes())
    (timescale,) = struct.unpack_from(">I", data, data.index(b"mvhd") + 16)
    edits = data.index(b"elst")
    assert struct.unpack_from(">II", data, edits + 4) == (0, 1)  # the version, and one edit
    struct.pack_into(">I", data, edits + 12, round(duration_s * timescale))
    path.write_bytes(data)
    return path


def mark_within_stream(clip: Path, path: Path, rotation_deg: int) -> Path:
    """Copy an H.264 video to `path`, with a mark in its key frames instead of in the container."""
    with av.open(str(clip)) as source, av.open(str(path), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        marks = BitStreamFilterContext(
            f"h264_metadata=display_orientation=insert:rotate={rotation_deg}",
            source.streams.video[0],
            stream,
        )
        for packet in source.demux(video=0):
            for marked in marks.filter(packet if packet.dts is not None else None):
                marked.stream = stream
                output.mux(marked)
    return path


def write_song(path: Path, cover: bytes) -> Path:
    """Write a moment of silence, with the JPEG `cover`, as an MP3; return its path."""
    with av.open(str(path), "w", format="mp3") as output:
        sound = output.add_stream("mp3", rate=8000)
        picture = _add_stream(output, "mjpeg", (120, 160), 1, "yuvj420p")
        picture.disposition = Disposition.attached_pic
        packet = av.Packet(cover)
        packet.stream, packet.time_base = picture, Fraction(1)
        packet.pts = packet.dts = 0
        silence = av.AudioFrame(format="fltp", layout="mono", samples=1152)
        silence.sample_rate = 8000
        for plane in silence.planes:
            plane.update(bytes(plane.buffer_size))
        output.mux(packet)
        output.mux(sound.encode(silence))
        output.mux(sound.encode(None))
    return path


def _add_stream(
    output: av.container.OutputContainer,
    codec: str,
    size: tuple[int, ...],
    fps: int,
    pixel_format: str,
) -> VideoStream:
    stream = output.add_stream(codec, rate=fps)
    assert isinstance(stream, VideoStream)
    stream.height, stream.width = size
    stream.pix_fmt = pixel_format
    # Without B-frames and look-ahead, frames of a variable rate keep their times.
    if codec == "libx264":
        stream.options = {"preset": "ultrafast", "tune": "zerolatency", "crf": "18"}
    if codec == "libvpx":
        stream.options = {"deadline": "realtime", "cpu-used": "8"}
    if codec == "libx265":
        stream.options = {"preset": "ultrafast", "x265-params": "log-level=none"}
    if codec not in ("mjpeg", "mpeg2video", "mpeg4"):  # these have the times of the frame rate
        stream.codec_context.time_base = Fraction(1, 1000)
    return stream
