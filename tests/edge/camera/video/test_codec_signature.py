from __future__ import annotations

from pathlib import Path

import av
import pytest

from edge.camera.video.codec_signature import FAMILIES, codec_family
from tests.support.footage.videos import write_video
from tests.support.footage.visit_clip import BARE_S, frame_at


@pytest.mark.parametrize(
    ("family", "packet"),
    [
        ("h264", b"\0\0\0\1\x09\xf0\0\0\0\1\x67\x64\0\x1e"),
        ("h264", b"\0\0\1\x27\x42\xe0\x1f"),
        ("hevc", b"\0\0\0\1\x46\x01\x50\0\0\0\1\x40\x01\x0c\x01"),
        ("hevc", b"\0\0\1\x40\x01\x0c\x01"),
        ("mpeg", b"\0\0\1\xb3\x20\0\xf0\x13\xff\xff\xe0\x18\0\0\1\xb8"),
        ("mpeg", b"\0\0\1\0\0\x0f\xff\xf8\0\0\1\xb5"),
        ("mpeg4", b"\0\0\1\xb0\x01\0\0\1\xb5"),
        ("mpeg4", b"\0\0\1\0\0\0\1\x20\0\x84"),
        (None, b"\0\0\1\xb3\0\x10\x07\0\0\1\xb6"),  # a group of pictures of MPEG-4
        (None, b"\0\0\1\x65\x88\x84"),  # a picture of H.264
        (None, b"\0\0\1\x26\x01\xaf"),  # a picture of HEVC
        (None, b"\xff\xd8\xff\xe0"),
        (None, b""),
    ],
)
def test_codec_is_recognised_by_the_first_packet(family: str | None, packet: bytes) -> None:
    assert codec_family(packet) == family


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg2video", "mpeg4"])
def test_no_packet_names_another_codec(tmp_path: Path, codec: str) -> None:
    clip = write_video(tmp_path / "clip.ts", [frame_at(BARE_S)] * 60, codec=codec, fps=25)
    with av.open(str(clip)) as container:
        family = FAMILIES[container.streams.video[0].codec_context.codec.canonical_name]
        named = [codec_family(bytes(packet)) for packet in container.demux() if packet.size]
    assert named[0] == family
    assert set(named) <= {family, None}
