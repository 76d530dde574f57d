from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.camera.image_files import decode_image, is_cut_off, read_image
from edge.common.errors import UserError
from tests.support.footage.pictures import flat, write_picture

JPEG = cv2.imencode(".jpg", flat(100))[1].tobytes()


def test_picture_is_read(tmp_path: Path) -> None:
    image = read_image(write_picture(tmp_path / "grey.png", 100))
    assert (image == flat(100)).all()


def test_grey_picture_becomes_bgr() -> None:
    raw = cv2.imencode(".png", np.full((4, 6), 50, np.uint8))[1].tobytes()
    assert decode_image(raw, "grey").shape == (4, 6, 3)


def test_missing_picture_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such picture: .*none"):
        read_image(tmp_path / "none.png")


def test_folder_is_rejected_as_a_picture(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*: Is a directory"):
        read_image(tmp_path)


@pytest.mark.parametrize("raw", [b"", b"no picture", b"\xff\xd8\xff broken"])
def test_undecodable_data_is_rejected(raw: bytes) -> None:
    with pytest.raises(UserError, match="photo is not a picture that can be read"):
        decode_image(raw, "photo")


def test_picture_with_too_many_pixels_is_rejected() -> None:
    header = b"BM" + bytes(8) + (54).to_bytes(4, "little")
    header += (40).to_bytes(4, "little") + (60_000).to_bytes(4, "little") * 2
    bitmap = header + (1).to_bytes(2, "little") + (24).to_bytes(2, "little") + bytes(24)
    with pytest.raises(UserError, match="photo has too many pixels"):
        decode_image(bitmap, "photo")


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp"])
def test_truncated_picture_is_recognised(ending: str) -> None:
    raw = cv2.imencode(ending, flat(100))[1].tobytes()
    assert not is_cut_off(raw)
    assert is_cut_off(raw[:-12])
    assert is_cut_off(raw[:20])


def test_thumbnail_end_does_not_end_the_picture() -> None:
    thumbnail = b"\xff\xe1" + (len(JPEG) + 2).to_bytes(2, "big") + JPEG
    whole = JPEG[:2] + thumbnail + JPEG[2:]
    assert not is_cut_off(whole)
    assert is_cut_off(whole[:-10])


def test_other_formats_are_not_checked_for_truncation() -> None:
    assert not is_cut_off(b"BM")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tif"])
def test_formats_of_pictures_are_decoded(suffix: str) -> None:
    raw = cv2.imencode(suffix, flat(90))[1].tobytes()
    assert decode_image(raw, "x").shape == flat(90).shape


@pytest.mark.parametrize("suffix", [".jp2", ".hdr", ".ppm", ".sr", ".pam", ".pfm"])
def test_other_formats_reach_no_decoder(suffix: str) -> None:
    """Decoders of rare formats have vulnerabilities, as that of JPEG 2000 in OpenCV 4.11."""
    pixels = flat(90).astype(np.float32) if suffix in (".hdr", ".pfm") else flat(90)
    raw = cv2.imencode(suffix, pixels)[1].tobytes()
    assert cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR) is not None
    with pytest.raises(UserError, match="none of JPEG, PNG, WebP, BMP or TIFF"):
        decode_image(raw, "x")
