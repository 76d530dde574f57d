from __future__ import annotations

import itertools
import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.camera.http.picture_scanner import MAX_PICTURE_BYTES, EncodedPicture, PictureScanner

NOISE = np.random.default_rng(7).integers(0, 256, (48, 64, 3), np.uint8)


def encoded(suffix: str, *options: int) -> bytes:
    return cv2.imencode(suffix, NOISE, options)[1].tobytes()


JPEG = encoded(".jpg")
PROGRESSIVE = encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 2)
PNG = encoded(".png")


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


#: A JPEG with another JPEG in its header, as a thumbnail, and with padding before a marker.
WITH_THUMBNAIL = JPEG[:2] + segment(0xE1, b"Exif\0\0" + JPEG) + b"\xff" + JPEG[2:]
PICTURES = [JPEG, PROGRESSIVE, PNG, WITH_THUMBNAIL]
#: What may stand between pictures.
BETWEEN = [
    b"",
    b"\r\n",
    b"\r\n\r\n--frame\r\nContent-Type: image/jpeg\r\nContent-Length: -1\r\n\r\n",
    b"--frame\nContent-Length: 99999999\n\n",
    b"--frame\r\n\r\nsome text\r\n",
    b"\xff\xff\xd8\xd8\x89PNG\r\n",
    b"\xff\xd8\xff\xd9" * 3,
    b"\xff\xd8\xff\xe0\x00\x00",
    b"\0" * 2000,
]


def scan(*pieces: bytes) -> list[bytes]:
    scanner, found = PictureScanner(), []
    for piece in pieces:
        scanner.add(piece)
        while (picture := scanner.next_picture()) is not None:
            found.append(picture.content)
    return found


@given(
    pictures=st.lists(st.sampled_from(PICTURES), min_size=1, max_size=4),
    between=st.lists(st.sampled_from(BETWEEN), min_size=4, max_size=4),
    cuts=st.lists(st.integers(0, 30_000), max_size=20),
)
def test_pictures_are_found_however_they_are_framed_and_cut_into_pieces(
    pictures: list[bytes], between: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(gap + picture for gap, picture in zip(between, pictures, strict=False))
    places = [0, *sorted(cuts), len(stream)]
    pieces = [stream[a:b] for a, b in itertools.pairwise(places)]
    assert scan(*pieces) == pictures


def test_picture_is_returned_as_soon_as_it_is_complete() -> None:
    for picture in PICTURES:
        assert scan(picture[:-1], picture[-1:], b"") == [picture]
        assert scan(picture[:-1]) == []


def test_size_is_that_of_the_picture() -> None:
    scanner = PictureScanner()
    for picture in PICTURES:
        scanner.add(picture)
        assert scanner.next_picture() == EncodedPicture(picture, 64, 48)


@pytest.mark.parametrize("length", [3, 30, 200, len(JPEG) // 2, len(JPEG) - 2])
def test_picture_that_is_cut_off_is_skipped(length: int) -> None:
    assert scan(JPEG[:length] + JPEG + JPEG[:length] + JPEG) == [JPEG, JPEG]
    assert scan(JPEG[:length], b"\r\n--frame\r\nContent-Length: 1\r\n\r\n", JPEG) == [JPEG]


@pytest.mark.parametrize("picture", PICTURES)
def test_damaged_picture_does_not_hide_the_next_one(picture: bytes) -> None:
    generator = np.random.default_rng(3)
    for place in generator.integers(0, len(picture), 100):
        damaged = bytearray(picture)
        damaged[place] ^= 0x55
        assert scan(bytes(damaged) + JPEG + JPEG)[-1] == JPEG


def test_picture_without_end_is_skipped() -> None:
    head, piece = JPEG[:-2], b"\0" * (1 << 20)
    scanner = PictureScanner()
    scanner.add(head)
    for _ in range(2 * MAX_PICTURE_BYTES // len(piece)):
        scanner.add(piece)
        assert scanner.next_picture() is None
        assert len(scanner._buffer) <= MAX_PICTURE_BYTES
    assert scan(head, *[piece] * 20, JPEG) == [JPEG]


def test_jpeg_without_a_size_is_no_picture() -> None:
    scan_only = segment(0xDA, b"\1\1\0\0\x3f\0") + b"\x12\x34\xff\xd9"
    assert scan(b"\xff\xd8" + scan_only + JPEG) == [JPEG]


def with_count(picture: bytes, count: int, order: str) -> bytes:
    """Return a JPEG that states that its file contains `count` pictures."""
    mark = {">": b"MM", "<": b"II"}[order]
    directory = struct.pack(f"{order}HIHHHIII", 42, 8, 1, 0xB001, 4, 1, count, 0)
    return picture[:2] + segment(0xE2, b"MPF\0" + mark + directory) + picture[2:]


@pytest.mark.parametrize("order", [">", "<"])
@pytest.mark.parametrize("piece", [1, 7, 10**6])
def test_preview_behind_a_picture_is_skipped(order: str, piece: int) -> None:
    file = with_count(JPEG, 3, order)
    preview, boundary = PROGRESSIVE, b"\r\n--frame\r\n\r\n"
    stream = (file + preview + preview + boundary) * 2 + file + boundary + JPEG + JPEG
    pieces = [stream[at : at + piece] for at in range(0, len(stream), piece)]
    assert scan(*pieces) == [file, file, file, JPEG, JPEG]
