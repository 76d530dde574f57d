from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.camera.pictures.image_files import MAX_FILE_BYTES, decode_image, is_cut_off, read_image
from edge.camera.pictures.picture_formats import other_kind
from edge.common.errors import UserError
from tests.support.cli_process import environment, error_line
from tests.support.footage.pictures import flat, frames_without_mask, write_picture
from tests.support.footage.turned_pictures import HEIC, encoded, turned

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


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_picture_with_too_many_pixels_is_not_decoded(suffix: str) -> None:
    side = 16_000 if suffix == ".webp" else 20_000
    bomb = cv2.imencode(suffix, np.zeros((side, side), np.uint8))[1].tobytes()
    with pytest.raises(UserError, match=f"photo has {side} x {side} pixels.* 128 megapixels: make"):
        decode_image(bomb, "photo")


def test_bitmap_with_too_many_pixels_is_not_decoded() -> None:
    header = b"BM" + bytes(8) + (54).to_bytes(4, "little")
    header += (40).to_bytes(4, "little") + (60_000).to_bytes(4, "little") * 2
    bitmap = header + (1).to_bytes(2, "little") + (24).to_bytes(2, "little") + bytes(24)
    with pytest.raises(UserError, match="photo has 60000 x 60000 pixels"):
        decode_image(bitmap, "photo")


def test_limit_of_pixels_can_be_lower() -> None:
    assert decode_image(JPEG, "photo", 120 * 160).shape == (120, 160, 3)
    with pytest.raises(UserError, match="photo has 160 x 120 pixels"):
        decode_image(JPEG, "photo", 120 * 160 - 1)


def test_endless_or_huge_file_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.write(JPEG)
        file.truncate(MAX_FILE_BYTES + 1)  # a sparse file
    with pytest.raises(UserError, match=r"huge\.jpg is larger than 512 MB"):
        read_image(tmp_path / "huge.jpg")
    with pytest.raises(UserError, match="/dev/zero is larger than 512 MB"):
        read_image(Path("/dev/zero"))


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "tiff", "avif", "bmp"])
@pytest.mark.parametrize("orientation", range(9))
def test_picture_is_turned_as_its_file_says(name: str, orientation: int) -> None:
    found = decode_image(encoded(name, orientation), "photo").astype(int)
    expected = turned(orientation if name != "bmp" else 1)  # a BMP states no orientation
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 6  # artefacts of the compression


def test_heic_is_decoded_and_turned(tmp_path: Path) -> None:
    pytest.importorskip("pi_heif", reason="pi-heif is not installed")
    (tmp_path / "a.heic").write_bytes(HEIC)
    found = read_image(tmp_path / "a.heic")
    assert found.shape == (62, 46, 3)
    corners = found[8, 8], found[8, 40], found[56, 8], found[56, 40]
    assert [round(float(corner.mean()), -1) for corner in corners] == [0, 260, 0, 0]


@pytest.mark.parametrize("part", [0.3, 0.9])
@pytest.mark.parametrize("whole", [HEIC, encoded("avif", 1)], ids=["HEIC", "AVIF"])
def test_damaged_picture_of_a_telephone_is_one_error(whole: bytes, part: float) -> None:
    with pytest.raises(UserError, match=r"^photo .*(damaged|complete|not installed)"):
        decode_image(whole[: int(len(whole) * part)], "photo")


@pytest.mark.parametrize(
    ("raw", "name"), [(HEIC, "HEIC"), (encoded("avif", 1), "AVIF")], ids=["HEIC", "AVIF"]
)
def test_missing_library_is_named(tmp_path: Path, raw: bytes, name: str) -> None:
    """In a process that sees neither Pillow nor pi-heif."""
    (tmp_path / "phone").write_bytes(raw)
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['PIL', 'pi_heif']))\n"
        "from edge.cli.main import main; sys.exit(main(['detect', 'phone']))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert error_line(result, 1) == (
        f"mask-patrol: phone is in the format {name}, which needs a library that is not installed:"
        " pip install '.[heic]' in a clone of the repository; or save it as JPEG"
    )


@pytest.mark.parametrize("raw", [b"%PDF-1.7", b"GIF89a", b"\0\x05\x16\x07\0\x02"])
def test_other_file_is_named(raw: bytes) -> None:
    with pytest.raises(UserError, match=f"it is {other_kind(raw)}, and none of JPEG, PNG"):
        decode_image(raw, "photo")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_picture_that_is_cut_off_is_rejected(tmp_path: Path, suffix: str) -> None:
    frame = frames_without_mask()[0]
    raw = cv2.imencode(suffix, frame)[1].tobytes()
    (tmp_path / "cut").write_bytes(raw[: len(raw) // 3])
    with pytest.raises(UserError, match="cut is cut off: its end is missing"):
        read_image(tmp_path / "cut")


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
