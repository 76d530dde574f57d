"""Sparse files: zeros become holes, and the content stays the same."""

from __future__ import annotations

import io
from pathlib import Path

from sdcard.disk_image.sparse_files import BLOCK_BYTES, CHUNK_BYTES, copy_sparsely, write_sparsely


def test_copy_is_equal_and_needs_less_space(tmp_path: Path) -> None:
    content = b"a" * 10 + bytes(3 * CHUNK_BYTES) + b"b" * BLOCK_BYTES + bytes(5)
    path = tmp_path / "copy"
    with path.open("wb") as out:
        copy_sparsely(io.BytesIO(content), out)
        out.truncate(len(content))
    assert path.read_bytes() == content
    assert path.stat().st_blocks * 512 < len(content) // 2


def test_copy_stops_at_the_given_size() -> None:
    source, out = io.BytesIO(b"abcdef"), io.BytesIO()
    source.seek(1)
    copy_sparsely(source, out, 3)
    assert out.getvalue() == b"bcd"


def test_partial_block_of_zeros_becomes_a_hole() -> None:
    out = io.BytesIO()
    write_sparsely(out, b"x" * BLOCK_BYTES + bytes(7))
    assert (out.getvalue(), out.tell()) == (b"x" * BLOCK_BYTES, BLOCK_BYTES + 7)
