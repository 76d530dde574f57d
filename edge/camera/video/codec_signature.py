"""Recognise the codec of a video by the start codes of its packets.

A transport stream may change from one codec to another: a recorder joins two recordings, or a
camera was set to another one. FFmpeg then passes the new packets to the old decoder, which rejects
them, or takes them for damaged pictures.
"""

from __future__ import annotations

import re

#: Codecs whose packets begin with start codes, by FFmpeg's names; equal values for the codecs that
#: one decoder reads.
FAMILIES = {
    "h264": "h264",
    "hevc": "hevc",
    "mpeg1video": "mpeg",
    "mpeg2video": "mpeg",
    "mpeg4": "mpeg4",
}
#: So many bytes of a packet are enough to recognise its codec.
SIGNATURE_BYTES = 64
#: How packets begin that name their codec; none of these is a valid beginning in another one:
#: an access unit delimiter of H.264, or a sequence parameter set with a known profile; a delimiter
#: or a video parameter set of HEVC; a sequence header of MPEG-1 or 2 (in MPEG-4, a header of three
#: bytes has the same code), or a picture header of MPEG-2 with its extension; a visual object
#: sequence or a picture of MPEG-4, or a video object and its layer.
_START = rb"\x00*\x00\x00\x01"
_SIGNATURES = re.compile(
    rb"%b(?:"
    rb"(?P<h264>\x09[\x10\x30\x50\x70\x90\xb0\xd0\xf0]\x00\x00"
    rb"|[\x27\x47\x67][\x2c\x42\x4d\x53\x56\x58\x64\x6e\x7a\xf4])"
    rb"|(?P<hevc>\x46\x01[\x10\x30\x50]\x00\x00|\x40\x01\x0c)"
    rb"|(?P<mpeg>\xb3(?!.{0,4}%b)|\x00.{4,5}%b\xb5)"
    rb"|(?P<mpeg4>[\xb0\xb6]|[\x00-\x1f]%b[\x20-\x2f])"
    rb")" % ((_START,) * 4),
    re.DOTALL,
)


def codec_family(packet: bytes) -> str | None:
    """Return which of the values of `FAMILIES` the beginning of a `packet` names.

    Returns None if it does not say, as most packets do not.
    """
    found = _SIGNATURES.match(packet[:SIGNATURE_BYTES])
    return None if found is None else found.lastgroup
