"""Sparse files: an image contains mostly zeros, which need no disk space."""

from __future__ import annotations

import os
from typing import IO

CHUNK_BYTES, BLOCK_BYTES = 1 << 20, 4096
EMPTY = bytes(BLOCK_BYTES)


def write_sparsely(out: IO[bytes], chunk: bytes) -> None:
    """Write to a new part of a file; blocks of zeros become holes."""
    if chunk.count(0) == len(chunk):
        out.seek(len(chunk), os.SEEK_CUR)
        return
    view = memoryview(chunk)
    for at in range(0, len(chunk), BLOCK_BYTES):
        block = view[at : at + BLOCK_BYTES]
        if block == EMPTY[: len(block)]:
            out.seek(len(block), os.SEEK_CUR)
        else:
            out.write(block)


def copy_sparsely(source: IO[bytes], out: IO[bytes], size_bytes: int | None = None) -> None:
    """Copy `size_bytes`, or everything, from the position of `source` to a new part of `out`."""
    left = size_bytes if size_bytes is not None else 1 << 62
    while left and (chunk := source.read(min(left, CHUNK_BYTES))):
        write_sparsely(out, chunk)
        left -= len(chunk)
