"""Find the pictures in what an HTTP camera sends.

JPEG and PNG files state where they end. Pictures are therefore found by their own structure: the
boundaries, the part headers and the lengths around them, which many cameras get wrong, are skipped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from edge.camera.pictures.picture_header import tiff_values

#: A larger picture is skipped. A JPEG of 4K in the best quality has about 10 MB.
MAX_PICTURE_BYTES = 16 << 20
JPEG_START, PNG_START = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_START = re.compile(re.escape(JPEG_START) + b"|" + re.escape(PNG_START))
#: Markers of JPEG (ITU-T T.81, table B.1).
SOI, EOI, SOS = 0xD8, 0xD9, 0xDA
SIZE_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
SEGMENTS = frozenset((*range(0xC0, 0xD0), *range(SOS, 0xF0), 0xFE))
#: The segment of a file that contains several pictures (CIPA DC-007), and the tag of their number.
#: Telephones write such files: a preview or a map of the brightness follows the picture itself.
APP2, SEVERAL, PICTURE_COUNT = 0xE2, b"MPF\0", 0xB001
#: In the data of a scan, 0xFF is followed by 0 or by a restart marker; all else ends the scan.
_SCAN_END = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
#: The signature of PNG and the chunk with the size, which must be the first.
PNG_HEAD_BYTES = 8 + 8 + 13 + 4


@dataclass(frozen=True)
class EncodedPicture:
    """A complete JPEG or PNG file, and the size in pixels that it states."""

    content: bytes
    width: int
    height: int


class _DamagedError(Exception):
    """The bytes are no complete picture."""


class _Walker(Protocol):
    """Follows the structure of one picture at the beginning of a buffer, to its end.

    `more` is the number of further pictures in the same file.
    """

    width: int
    height: int
    more: int

    def find_end(self, buffer: bytearray) -> int | None:
        """Return where the picture ends; None if more bytes are needed.

        The next call continues where this one stopped. Raises _DamagedError for no picture.
        """


class PictureScanner:
    """Receives the bytes of a stream in pieces of any size, and returns its complete pictures.

    Everything that is no picture is skipped, also pictures that are cut off, and all but the first
    picture of a file with several. At most `MAX_PICTURE_BYTES` and one piece are kept.
    """

    def __init__(self) -> None:
        """Begin with an empty buffer."""
        self._buffer = bytearray()
        self._walker: _Walker | None = None
        # How many pictures belong to the file of the one before, if they follow it directly.
        self._more = 0

    def add(self, data: bytes) -> None:
        """Append the next bytes of the stream."""
        self._buffer += data

    @property
    def is_within_picture(self) -> bool:
        """Whether the beginning of a picture has been added, but not yet its end."""
        return self._walker is not None

    def next_picture(self) -> EncodedPicture | None:
        """Return the next complete picture; None if more bytes are needed."""
        while self._walker is not None or self._find_start():
            walker = self._walker
            assert walker is not None
            try:
                end = walker.find_end(self._buffer)
                if (len(self._buffer) if end is None else end) > MAX_PICTURE_BYTES:
                    raise _DamagedError
            except _DamagedError:
                self._drop(1)
                continue
            if end is None:
                return None
            picture = EncodedPicture(bytes(self._buffer[:end]), walker.width, walker.height)
            self._drop(end)
            if self._more:
                self._more -= 1
                continue
            self._more = walker.more
            return picture
        return None

    def _find_start(self) -> bool:
        """Skip everything before the next picture; return whether there is one."""
        found = _START.search(self._buffer)
        if found is None:
            # The end of the buffer may be the beginning of a signature.
            del self._buffer[: -len(PNG_START)]
            return False
        if found.start() > 0:
            self._more = 0
        self._walker = _JpegWalker() if found[0] == JPEG_START else _PngWalker()
        del self._buffer[: found.start()]
        return True

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._walker = None


class _JpegWalker:
    """Follows the segments of a JPEG; a thumbnail inside of a segment is skipped with it."""

    def __init__(self) -> None:
        self.width = self.height = self.more = 0
        self._at = 2
        self._in_scan = False

    def find_end(self, buffer: bytearray) -> int | None:
        while True:
            if self._in_scan:
                found = _SCAN_END.search(buffer, self._at)
                if found is None:
                    self._at = max(self._at, len(buffer) - 1)
                    return None
                marker = found[0][1]
                if marker == EOI:
                    return found.end()
                if marker == SOI:
                    raise _DamagedError  # the next picture: this one is cut off
                self._in_scan = marker not in SEGMENTS
                self._at = found.end() if self._in_scan else found.start()
            elif not self._skip_segment(buffer):
                return None

    def _skip_segment(self, buffer: bytearray) -> bool:
        """Go to the next segment; return False if more bytes are needed."""
        at = self._at
        head = buffer[at : at + 9]  # as long as the beginning of a segment that states the size
        if len(head) < 9:
            return False
        if head[0] != 0xFF:
            raise _DamagedError
        if head[1] == 0xFF:  # padding
            self._at += 1
            return True
        length = int.from_bytes(head[2:4], "big")
        if head[1] not in SEGMENTS or length < 2:
            raise _DamagedError
        if head[1] in SIZE_MARKERS:
            self.height = int.from_bytes(head[5:7], "big")
            self.width = int.from_bytes(head[7:9], "big")
        if head[1] == APP2 and head[4:8] == SEVERAL:
            if len(buffer) < at + 2 + length:
                return False
            values = tiff_values(bytes(buffer[at + 4 + len(SEVERAL) : at + 2 + length]))
            self.more = max(0, values.get(PICTURE_COUNT, 1) - 1)
        if head[1] == SOS:
            if not self.width * self.height:
                raise _DamagedError
            self._in_scan = True
        self._at += 2 + length
        return True


class _PngWalker:
    """Follows the chunks of a PNG."""

    def __init__(self) -> None:
        self.width = self.height = self.more = 0
        self._at = len(PNG_START)

    def find_end(self, buffer: bytearray) -> int | None:
        if len(buffer) < PNG_HEAD_BYTES:
            return None
        if buffer[12:16] != b"IHDR":
            raise _DamagedError
        self.width = int.from_bytes(buffer[16:20], "big")
        self.height = int.from_bytes(buffer[20:24], "big")
        while len(buffer) >= self._at + 12:
            length = int.from_bytes(buffer[self._at : self._at + 4], "big")
            kind = buffer[self._at + 4 : self._at + 8]
            if not kind.isalpha():
                raise _DamagedError
            self._at += 12 + length
            if kind == b"IEND":
                if length:
                    raise _DamagedError
                return self._at
        return None
