"""The size and orientation of a picture, read from its header before anything is decoded.

A picture of some kilobytes can state thousands of megapixels, for which a decoder would allocate
memory. Each reader here takes the fields that the decoder uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edge.camera.pictures.picture_formats import PictureFormat, format_of

#: Markers of JPEG: start of frame in all codings, and start of scan, after which the pixels follow.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_SCAN, _JPEG_END, _JPEG_EXIF = 0xDA, 0xD9, 0xE1
#: Markers of JPEG without a length.
_JPEG_BARE = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})
#: Tags of TIFF, and of EXIF data, which are in the format of TIFF.
_WIDTH, _HEIGHT, _ORIENTATION, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 274, 322, 323
#: The bytes of a value of each type of TIFF that is a whole number.
_TIFF_BYTES = {1: 1, 3: 2, 4: 4, 6: 1, 8: 2, 9: 4}
_EXIF_START = b"Exif\0\0"


@dataclass(frozen=True)
class PictureHeader:
    """What the header states.

    The size is that of the stored pixels. `orientation` is the EXIF value from 1 to 8 that remains
    to be applied to the decoded pixels: the decoders of TIFF, HEIC and AVIF apply theirs.
    """

    format: PictureFormat
    width_px: int
    height_px: int
    orientation: int = 1


def read_header(raw: bytes) -> PictureHeader | None:
    """Return the header of the picture `raw`, or None if it states no size or is no picture."""
    name = format_of(raw)
    if name is None:
        return None
    read, read_exif = _READERS[name]
    width, height = read(raw)
    if width <= 0 or height <= 0:
        return None
    orientation = tiff_values(read_exif(raw).removeprefix(_EXIF_START)).get(_ORIENTATION, 1)
    return PictureHeader(name, width, height, orientation if 1 <= orientation <= 8 else 1)


def jpeg_scan(raw: bytes) -> int | None:
    """Return where the pixels of a JPEG begin, after the thumbnail that its header may contain."""
    return next((end for marker, _, end in _jpeg_segments(raw) if marker == _JPEG_SCAN), None)


Size = tuple[int, int]


def _jpeg_segments(raw: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment up to the first scan, as libjpeg finds them."""
    at = 2
    # libjpeg skips bytes between segments, and repeated 0xFF.
    while (at := raw.find(b"\xff", at)) >= 0:
        at += 1
        marker = raw[at] if at < len(raw) else 0xFF
        if marker in (0x00, 0xFF):
            continue
        at += 1
        if marker == _JPEG_END:
            return
        if marker in _JPEG_BARE:
            continue
        end = at + int.from_bytes(raw[at : at + 2], "big")
        if at + 2 > len(raw):
            return
        yield marker, at + 2, end
        if marker == _JPEG_SCAN:
            return
        at = max(end, at + 2)


def _jpeg_size(raw: bytes) -> Size:
    for marker, start, _ in _jpeg_segments(raw):
        if marker in _JPEG_FRAMES:
            return _big(raw, start + 3, 2), _big(raw, start + 1, 2)
    return 0, 0


def _jpeg_exif(raw: bytes) -> bytes:
    for marker, start, end in _jpeg_segments(raw):
        if marker == _JPEG_EXIF and raw.startswith(_EXIF_START, start):
            return raw[start:end]
    return b""


def _png_size(raw: bytes) -> Size:
    if raw[12:16] != b"IHDR":
        return 0, 0
    return _big(raw, 16, 4), _big(raw, 20, 4)


def _png_exif(raw: bytes) -> bytes:
    at = 8
    while at + 8 <= len(raw):
        length = _big(raw, at, 4)
        if raw[at + 4 : at + 8] == b"eXIf":
            return raw[at + 8 : at + 8 + length]
        at += 12 + length
    return b""


def _webp_chunks(raw: bytes) -> Iterator[tuple[bytes, int, int]]:
    at = 12
    while at + 8 <= len(raw):
        length = _little(raw, at + 4, 4)
        yield raw[at : at + 4], at + 8, at + 8 + length
        at += 8 + length + length % 2


def _webp_size(raw: bytes) -> Size:
    for kind, at, _ in _webp_chunks(raw):
        if kind == b"VP8X":  # the canvas, which contains every frame
            return _little(raw, at + 4, 3) + 1, _little(raw, at + 7, 3) + 1
        if kind == b"VP8L":
            bits = _little(raw, at + 1, 4)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        if kind == b"VP8 ":
            return _little(raw, at + 6, 2) & 0x3FFF, _little(raw, at + 8, 2) & 0x3FFF
    return 0, 0


def _webp_exif(raw: bytes) -> bytes:
    return next((raw[at:end] for kind, at, end in _webp_chunks(raw) if kind == b"EXIF"), b"")


def _bmp_size(raw: bytes) -> Size:
    if _little(raw, 14, 4) == 12:  # the header of OS/2
        return _little(raw, 18, 2), _little(raw, 20, 2)
    height = int.from_bytes(raw[22:26], "little", signed=True)  # negative: the top row is first
    return _little(raw, 18, 4), abs(height)


def _tiff_size(raw: bytes) -> Size:
    values = tiff_values(raw)
    # A decoder reads whole tiles, which may be larger than the picture.
    sides = ((_WIDTH, _TILE_WIDTH), (_HEIGHT, _TILE_HEIGHT))
    width, height = (
        max(values[side], values.get(tile, 0)) if side in values else 0 for side, tile in sides
    )
    return width, height


def tiff_values(raw: bytes) -> dict[int, int]:
    """Return the whole numbers in the first directory of TIFF or EXIF data; the largest per tag."""
    order = {b"II": "little", b"MM": "big"}.get(raw[:2])
    if order is None:
        return {}
    at = _number(raw, 4, 4, order)
    values: dict[int, int] = {}
    for entry in range(at + 2, at + 2 + 12 * _number(raw, at, 2, order), 12):
        if entry + 12 > len(raw):
            break
        tag = _number(raw, entry, 2, order)
        size = _TIFF_BYTES.get(_number(raw, entry + 2, 2, order))
        if size is not None:
            values[tag] = max(values.get(tag, 0), _number(raw, entry + 8, size, order))
    return values


def _heif_size(raw: bytes) -> Size:
    """Return the largest size that the properties of the file state: that of the whole picture."""
    sizes = [(0, 0)]
    for _, meta, meta_end in _boxes(raw, 0, len(raw), b"meta"):
        for _, properties, end in _boxes(raw, meta + 4, meta_end, b"iprp"):
            for _, container, container_end in _boxes(raw, properties, end, b"ipco"):
                for _, at, _ in _boxes(raw, container, container_end, b"ispe"):
                    sizes.append((_big(raw, at + 4, 4), _big(raw, at + 8, 4)))
    return max(sizes, key=lambda size: size[0] * size[1])


def _boxes(raw: bytes, at: int, end: int, wanted: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of the content of each box of one kind, as ISO/IEC 14496-12."""
    while at + 8 <= end:
        size, kind, head = _big(raw, at, 4), raw[at + 4 : at + 8], 8
        if size == 1:
            size, head = _big(raw, at + 8, 8), 16
        elif size == 0:  # to the end of the file
            size = end - at
        if size < head:
            return
        if kind == wanted:
            yield kind, at + head, min(at + size, end)
        at += size


def _no_exif(_raw: bytes) -> bytes:
    return b""


def _big(raw: bytes, at: int, size: int) -> int:
    return int.from_bytes(raw[at : at + size], "big")


def _little(raw: bytes, at: int, size: int) -> int:
    return int.from_bytes(raw[at : at + size], "little")


def _number(raw: bytes, at: int, size: int, order: str) -> int:
    return _big(raw, at, size) if order == "big" else _little(raw, at, size)


_READERS: dict[PictureFormat, tuple[Callable[[bytes], Size], Callable[[bytes], bytes]]] = {
    "JPEG": (_jpeg_size, _jpeg_exif),
    "PNG": (_png_size, _png_exif),
    "WebP": (_webp_size, _webp_exif),
    "BMP": (_bmp_size, _no_exif),
    "TIFF": (_tiff_size, _no_exif),
    "HEIC": (_heif_size, _no_exif),
    "AVIF": (_heif_size, _no_exif),
}
