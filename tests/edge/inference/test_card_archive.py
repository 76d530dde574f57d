"""The archive that is appended to a model: round trips, and archives that are refused."""

from __future__ import annotations

import contextlib
import io
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.common.errors import UserError
from edge.inference.card_archive import MAX_FILE_BYTES, MAX_FILES, attach_files, read_attached

PATH = Path("model.tflite")
#: Far less than the content of the compressed archives below.
MAX_MEMORY_BYTES = 10 << 20


def archive(fill: Callable[[zipfile.ZipFile], object], compression: int) -> bytes:
    """Return a flatbuffer with an archive that `fill` writes with the standard library."""
    buffer = io.BytesIO(b"flatbuffer")
    with zipfile.ZipFile(buffer, "a", compression) as opened:
        fill(opened)
    return buffer.getvalue()


def test_attached_files_and_the_flatbuffer_can_be_read() -> None:
    files = {"a.txt": b"one", "b.txt": b"two"}
    model = attach_files(b"flatbuffer", files)
    attached = read_attached(model, PATH)
    assert (attached.flatbuffer, attached.files) == (b"flatbuffer", files)
    assert attached.is_original()
    with zipfile.ZipFile(io.BytesIO(model)) as opened:
        assert opened.testzip() is None


def test_missing_file_is_an_error() -> None:
    attached = read_attached(attach_files(b"x", {"a.txt": b"one"}), PATH)
    with pytest.raises(UserError, match=r"model\.tflite has no model card .*no b\.txt"):
        attached.file("b.txt", PATH)


def test_each_flipped_bit_of_the_archive_is_detected() -> None:
    model = attach_files(b"", {"model.json": b"{}", "labels.txt": b"mask\n"})
    for bit in range(8 * len(model)):
        damaged = bytearray(model)
        damaged[bit // 8] ^= 1 << bit % 8
        with contextlib.suppress(UserError):
            assert not read_attached(bytes(damaged), PATH).is_original(), bit


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressed_archive_is_refused_before_it_is_unpacked(compression: int) -> None:
    def fill(opened: zipfile.ZipFile) -> None:
        with opened.open("model.json", "w") as file:
            for _ in range(20):
                file.write(bytes(1 << 20))

    model = archive(fill, compression)
    assert len(model) < 200_000
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=r"model\.json is compressed"):
            read_attached(model, PATH)
        assert tracemalloc.get_traced_memory()[1] < MAX_MEMORY_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("count", [MAX_FILES + 1, 1000, 66_000])
def test_archive_with_many_files_is_refused(count: int) -> None:
    def fill(opened: zipfile.ZipFile) -> None:
        for index in range(count):
            opened.writestr(str(index), b"")

    with pytest.raises(UserError, match="its archive is not one of `make convert`"):
        read_attached(archive(fill, zipfile.ZIP_STORED), PATH)


def test_large_file_in_the_archive_is_refused() -> None:
    with pytest.raises(UserError, match=r"model\.json is encrypted or larger"):
        read_attached(attach_files(b"", {"model.json": bytes(MAX_FILE_BYTES + 1)}), PATH)
